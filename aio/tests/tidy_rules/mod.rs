//! Rules of the house that neither rustfmt nor clippy checks. The tables are each crate's own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The tables of a crate. Each entry must still be needed.
pub struct Tables {
    /// The crate's folder.
    pub root: &'static str,
    /// The files that hold unsafe code.
    pub holds_unsafe: &'static [&'static str],
    /// The files that may ask which system this is, or which features it is built with.
    pub asks_for_the_system: &'static [&'static str],
    /// The files that may be longer than others, being tables.
    pub is_long: &'static [&'static str],
    /// The modules of `src`, the lowest first: a module imports from the layers below its own.
    pub layers: &'static [&'static [&'static str]],
    /// Imports against that order: from, to.
    pub exceptions: &'static [(&'static str, &'static str)],
}

/// The tests that hold a crate to its tables.
macro_rules! tests {
    ($tables:ident) => {
        fn assert_none(faults: &[String]) {
            assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
        }

        #[test]
        fn lines_fit_into_a_hundred_columns() {
            assert_none(&$crate::tidy_rules::lines_that_are_too_long(&$tables));
        }

        #[test]
        fn files_are_short() {
            assert_none(&$crate::tidy_rules::files_that_are_too_long(&$tables));
        }

        #[test]
        fn unsafe_code_is_where_it_is_said_to_be() {
            assert_none(&$crate::tidy_rules::unsafe_code_elsewhere(&$tables));
        }

        #[test]
        fn which_system_this_is_is_asked_in_one_place() {
            assert_none(&$crate::tidy_rules::questions_for_the_system_elsewhere(&$tables));
            assert_none(&$crate::tidy_rules::too_many_conditions(&$tables));
        }

        #[test]
        fn imports_point_one_way() {
            assert_none(&$crate::tidy_rules::imports_against_the_order(&$tables));
        }

        #[test]
        fn every_file_says_what_is_in_it() {
            assert_none(&$crate::tidy_rules::files_without_a_first_line(&$tables));
        }

        #[test]
        fn nothing_is_left_over() {
            assert_none(&$crate::tidy_rules::leftovers(&$tables));
        }
    };
}

pub(crate) use tests;

const MOST_COLUMNS: usize = 100;
const MOST_LINES: usize = 450;
const MOST_CFG_LINES_OF_1000: usize = 5;

/// A file of the crate: its name within it, and its text.
struct Source {
    name: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.name.ends_with(".rs")
    }

    /// The lines, counted from 1, without comments and what is in quotes.
    fn code(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, code(line)))
    }

    /// The module of `src` that it belongs to; `None` for the root and for what is not in `src`.
    fn module(&self) -> Option<&str> {
        let path = self.name.strip_prefix("src/")?;
        let module = path.split('/').next().map(|name| name.trim_end_matches(".rs"))?;
        (!matches!(module, "lib" | "main")).then_some(module)
    }
}

/// A line without its comment and without what is in quotes.
fn code(line: &str) -> String {
    let (mut code, mut in_quotes, mut before) = (String::new(), false, ' ');
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if before != '\\' && before != '\'' => in_quotes = !in_quotes,
            '/' if !in_quotes && characters.peek() == Some(&'/') => break,
            _ if in_quotes => {}
            _ => code.push(character),
        }
        before = if before == '\\' { ' ' } else { character };
    }
    code
}

/// Whether `word` stands in `code` as a word of its own.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.split(|character| !is_part(character)).any(|found| found == word)
}

fn sources(tables: &Tables) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        collect(tables.root, folder, &mut sources);
    }
    let text = fs::read_to_string(format!("{}/Cargo.toml", tables.root)).expect("a manifest");
    sources.push(Source { name: "Cargo.toml".into(), text });
    sources
}

fn collect(root: &str, folder: &str, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(Path::new(root).join(folder)) else { return };
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    names.sort_unstable();
    for name in names {
        let name = format!("{folder}/{name}");
        let path = Path::new(root).join(&name);
        if path.is_dir() {
            collect(root, &name, sources);
        } else if name.ends_with(".rs") || name.ends_with(".toml") {
            let text = fs::read_to_string(path).expect("a text");
            sources.push(Source { name, text });
        }
    }
}

/// Compares where something is with the table of where it may be.
fn compare(what: &str, found: BTreeSet<String>, table: &[&str]) -> Vec<String> {
    let table: BTreeSet<String> = table.iter().map(|name| (*name).to_owned()).collect();
    let more = found.difference(&table).map(|name| format!("{name} {what}"));
    let fewer = table.difference(&found).map(|name| format!("{name} no longer {what}"));
    more.chain(fewer).collect()
}

/// Lines fit into the columns; a manifest's description is one line, however long.
pub fn lines_that_are_too_long(tables: &Tables) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources(tables) {
        for (index, line) in source.text.lines().enumerate() {
            if line.chars().count() > MOST_COLUMNS && !line.starts_with("description =") {
                faults.push(format!("{}:{} is too long", source.name, index + 1));
            }
        }
    }
    faults
}

/// Files are short, but for those of the table.
pub fn files_that_are_too_long(tables: &Tables) -> Vec<String> {
    let rust = sources(tables).into_iter().filter(Source::is_rust);
    let long = rust.filter(|source| source.text.lines().count() > MOST_LINES);
    compare("is too long", long.map(|source| source.name).collect(), tables.is_long)
}

/// Unsafe code is in the files of the table.
pub fn unsafe_code_elsewhere(tables: &Tables) -> Vec<String> {
    let holds = |source: &Source| source.code().any(|(_, code)| has_word(&code, "unsafe"));
    let found = sources(tables).into_iter().filter(Source::is_rust).filter(holds);
    let found = found.map(|source| source.name).collect();
    compare("holds unsafe code", found, tables.holds_unsafe)
}

/// Which system and processor this is, is asked in the files of the table.
pub fn questions_for_the_system_elsewhere(tables: &Tables) -> Vec<String> {
    const WORDS: [&str; 8] = [
        "target_os",
        "target_family",
        "target_env",
        "target_arch",
        "unix",
        "windows",
        "wasi",
        "feature",
    ];
    let asks = |source: &Source| {
        source.code().any(|(_, code)| {
            let is_cfg = has_word(&code, "cfg") || has_word(&code, "cfg_attr");
            is_cfg && WORDS.iter().any(|word| has_word(&code, word))
        })
    };
    let found = sources(tables).into_iter().filter(Source::is_rust).filter(asks);
    let found = found.map(|source| source.name).collect();
    compare("asks for the system", found, tables.asks_for_the_system)
}

/// Few lines of `src` are for some builds only.
pub fn too_many_conditions(tables: &Tables) -> Vec<String> {
    let (mut lines, mut conditions) = (0, 0);
    for source in sources(tables).iter().filter(|source| source.name.starts_with("src/")) {
        lines += source.text.lines().count();
        let is_one = |code: &str| has_word(code, "cfg") && !has_word(code, "test");
        conditions += source.code().filter(|(_, code)| is_one(code)).count();
    }
    if conditions * 1000 > lines * MOST_CFG_LINES_OF_1000 {
        return vec![format!("{conditions} of the {lines} lines of src are conditions")];
    }
    Vec::new()
}

/// Imports point downwards.
pub fn imports_against_the_order(tables: &Tables) -> Vec<String> {
    let layer = |module: &str| tables.layers.iter().position(|layer| layer.contains(&module));
    let (mut faults, mut unused) = (Vec::new(), tables.exceptions.to_vec());
    for source in sources(tables) {
        let Some(from) = source.module() else { continue };
        let Some(own) = layer(from) else {
            faults.push(format!("{} is in no layer", source.name));
            continue;
        };
        for (line, code) in source.code() {
            for to in imports(&code).filter(|to| *to != from) {
                let is_below = layer(to).is_some_and(|other| other < own);
                let is_exception = tables.exceptions.contains(&(from, to));
                unused.retain(|arrow| *arrow != (from, to));
                if !is_below && !is_exception {
                    faults.push(format!("{}:{line}: {from} imports from {to}", source.name));
                }
            }
        }
    }
    faults.extend(unused.iter().map(|(from, to)| format!("{from} no longer imports from {to}")));
    faults
}

/// The modules of the crate that a line names.
fn imports(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// A file says first what is in it.
pub fn files_without_a_first_line(tables: &Tables) -> Vec<String> {
    let silent = |source: &Source| source.is_rust() && !source.text.starts_with("//! ");
    let found = sources(tables).into_iter().filter(silent);
    found.map(|source| format!("{} does not say what is in it", source.name)).collect()
}

/// Nothing is left to be done, and nothing is of one machine.
pub fn leftovers(tables: &Tables) -> Vec<String> {
    let folders = ["home", "root", "work", "Users"].map(|name| format!("/{name}/"));
    let mut faults = Vec::new();
    for source in sources(tables) {
        for (line, code) in source.code() {
            for name in ["todo", "dbg", "unimplemented"] {
                if has_word(&code, name) && code.contains(&format!("{name}!")) {
                    faults.push(format!("{}:{line} holds {name}", source.name));
                }
            }
        }
        for (index, line) in source.text.lines().enumerate() {
            for folder in folders.iter().filter(|folder| line.contains(*folder)) {
                faults.push(format!("{}:{} names {folder}", source.name, index + 1));
            }
        }
    }
    faults
}
