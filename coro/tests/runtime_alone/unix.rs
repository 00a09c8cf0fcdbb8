//! What only Unixes have: limits of descriptors, and listeners that share an address.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use corio::aio::op;
use corio::aio::{Domain, Type};
use corio::{Runtime, io};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{assert_holds, held, options};

pub const ALL: &[fn()] = &[
    without_descriptors_there_is_an_error_and_nothing_is_left,
    connections_reach_the_workers_over_listeners_of_their_own,
];

fn without_descriptors_there_is_an_error_and_nothing_is_left() {
    let before = held();
    let limit = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(before.0 as u64 + 20), maximum: limit.maximum };
    setrlimit(Resource::Nofile, few).unwrap();
    let mut hogs: Vec<File> = (0..).map_while(|_| File::open("/dev/null").ok()).collect();
    let mut failures = 0;
    let runtime = loop {
        match Runtime::new(options(2)) {
            Ok(runtime) => break runtime,
            Err(error) => assert_eq!(error.raw_os_error(), Some(24), "{error}"), // EMFILE
        }
        failures += 1;
        hogs.pop().expect("there is room for a runtime");
        drop(hogs.pop());
        while held().1 > before.1 {
            thread::yield_now();
        }
    };
    assert!(failures > 0);
    assert_eq!(runtime.spawn(|| 1).join().unwrap(), 1);
    setrlimit(Resource::Nofile, limit).unwrap();
    drop((runtime, hogs));
    assert_holds(before, "after errors");
}

fn connections_reach_the_workers_over_listeners_of_their_own() {
    let before = held();
    let runtime = Runtime::new(options(2)).unwrap();
    let socket = || {
        let socket = io::single(op::socket(Domain::IPV4, Type::STREAM, None)).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket
    };
    let reserved = socket();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    io::single(op::bind(&reserved, any_port)).unwrap();
    let address = reserved.local_addr().unwrap();
    let bound = address.clone();
    let listeners = runtime.spawn_on_each(move |_| {
        let listener = socket();
        io::single(op::bind(&listener, bound)).unwrap();
        io::single(op::listen(&listener)).unwrap();
        listener
    });
    let listeners = listeners.into_iter().map(|listener| listener.join().unwrap());
    let listeners: Vec<_> = listeners.collect();
    let counts: Arc<[AtomicUsize]> = listeners.iter().map(|_| AtomicUsize::new(0)).collect();
    for (index, listener) in listeners.into_iter().enumerate() {
        let counts = counts.clone();
        let acceptor = runtime.spawn_on(index, move || {
            while io::single(op::accept(&listener)).is_ok() {
                counts[index].fetch_add(1, Ordering::Relaxed);
            }
        });
        acceptor.detach();
    }
    let address = address.as_socket().unwrap();
    (0..100).for_each(|_| drop(TcpStream::connect(address).unwrap()));
    let accepted = || counts.iter().map(|count| count.load(Ordering::Relaxed));
    while accepted().sum::<usize>() < 100 {
        thread::yield_now();
    }
    // The others give all connections to the newest of the listeners.
    let is_shared_out = accepted().all(|count| count > 0);
    assert!(is_shared_out || !cfg!(target_os = "linux"), "{counts:?}");
    drop((runtime, reserved));
    assert_holds(before, "after connections");
}
