// SPDX-License-Identifier: Apache-2.0
// std::thread of Rust: joined, detached by dropping its handle, and one that is forgotten. Like the other
// workloads: "ready PID", a line, the truth and "done", another line.
use std::io::{stdin, Write};
use std::thread;

fn await_line() {
    stdin().read_line(&mut String::new()).unwrap();
}

fn running() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[inline(never)]
fn spawn_joined() {
    for _ in 0..7 {
        thread::spawn(|| ()).join().unwrap();
    }
}

#[inline(never)]
fn spawn_dropped() {
    for _ in 0..5 {
        thread::spawn(|| ());
    }
}

#[inline(never)]
fn spawn_forgotten() {
    for _ in 0..13 {
        std::mem::forget(thread::spawn(|| ()));
    }
}

#[inline(never)]
fn spawn_running() {
    for _ in 0..3 {
        thread::spawn(|| loop {
            thread::park();
        });
    }
}

fn main() {
    println!("ready {}", std::process::id());
    await_line();
    spawn_joined();
    spawn_dropped();
    spawn_forgotten();
    spawn_running();
    while running() != 4 {
        thread::yield_now();
    }
    for (name, made, left, unjoined) in [
        ("threads_rust::spawn_joined", 7, 0, 0),
        ("threads_rust::spawn_dropped", 5, 0, 0),
        ("threads_rust::spawn_forgotten", 13, 0, 13),
        ("threads_rust::spawn_running", 3, 3, 0),
    ] {
        println!("held thread/running {name} pthread_create {made} {}", made - left);
        println!("held thread/unjoined {name} pthread_create {unjoined} 0 net");
        println!("wrapped {name} 1");
    }
    println!("done");
    std::io::stdout().flush().unwrap();
    await_line();
}
