# Reads what a program of tests said, and prints how many passed, failed, and can't hold here.
#
# The conformance suite starts processes of itself, and says in one line how each of them ended; of
# those in which something failed it repeats the words.

/^test result: / {
    said_so = 1
    for (at = 2; at <= NF; at++) {
        if ($at ~ /^passed/) passed += $(at - 1)
        if ($at ~ /^failed/) failed += $(at - 1)
        if ($at ~ /^ignored/) ignored += $(at - 1)
        if ($at ~ /^filtered/) filtered += $(at - 1)
    }
}

/: [0-9]+ promises kept/ {
    said_so = is_conformance = 1
    for (at = 1; at <= NF; at++) {
        if ($(at + 1) == "promises") kept += $at
        if ($(at + 1) == "can't") unsupported += $at
    }
}

/^=== ended with / { status = $4 }

END {
    if (is_conformance) { passed = kept; ignored = unsupported }
    # One that ends early, or that leaves out other tests than it is told to, has failed.
    if (failed == 0 && (status != 0 || !said_so || filtered + 0 != left_out + 0)) failed = 1
    print passed + 0, failed + 0, ignored + left_out
}
