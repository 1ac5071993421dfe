//! The daemon as a process of its own, and what it takes: for benches that are about all of it.
//!
//! Never judges; invariant: it ends with the bench.
#![allow(dead_code, unreachable_pub, reason = "each bench uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A start takes no longer.
const PATIENCE: Duration = Duration::from_secs(300);

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

pub struct Daemon {
    process: Child,
    address: SocketAddr,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    /// Starts it, or another build of it that `FEEDMILL` names, and waits until it answers at `address`.
    pub fn start(configuration: &Path, address: SocketAddr) -> Outcome<Self> {
        let program = std::env::var_os("FEEDMILL").unwrap_or_else(|| env!("CARGO_BIN_EXE_feedmill").into());
        let mut command = Command::new(program);
        let command = command.arg("--config").arg(configuration).arg("run");
        let mut daemon = Self { process: command.stdout(Stdio::null()).spawn()?, address };
        let begun = Instant::now();
        while !daemon.get("/healthz").is_ok_and(|answer| answer.contains(" 200 ")) {
            if daemon.process.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Err("the daemon does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    /// An answer of its own server, head and all.
    pub fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// A line of `/proc/PID/status`, in MiB.
    pub fn memory(&self, field: &str) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
        Ok(line.split_whitespace().next().ok_or("no number")?.parse::<u64>()? / 1024)
    }

    /// CPU time of all its threads, those that have ended included, in nanoseconds, to a hundredth of a second.
    pub fn used(&self) -> Outcome<u64> {
        used(self.process.id())
    }

    /// CPU time of all its threads, in nanoseconds, and how often they went to sleep.
    pub fn spent(&self) -> Outcome<(u64, u64)> {
        let (mut time, mut sleeps) = (0, 0);
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let thread = thread?.path();
            let times = std::fs::read_to_string(thread.join("schedstat"))?;
            time += times.split_whitespace().next().ok_or("no time")?.parse::<u64>()?;
            let status = std::fs::read_to_string(thread.join("status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            sleeps += line.ok_or("no switches")?.trim().parse::<u64>()?;
        }
        Ok((time, sleeps))
    }
}

/// CPU time of a process, in nanoseconds, to a hundredth of a second (proc(5), stat: utime and stime).
pub fn used(process: u32) -> Outcome<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').ok_or("no name")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks * 10_000_000)
}
