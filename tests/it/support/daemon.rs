//! The real binary, as its users run it: a configuration in a folder of its own, commands, signals, HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

/// A test that waits longer than this has failed: much longer than anything takes beside a compiler or two.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a configuration, and the commands that use it.
pub(crate) struct Installation {
    dir: TempDir,
    pub(crate) address: SocketAddr,
}

/// A daemon that runs on it.
pub(crate) struct Daemon {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Installation {
    /// `rest` follows `[server]` and `[poll]`, which it may go on with: its first lines belong to `[poll]`.
    pub(crate) fn new(rest: &str) -> Self {
        let address = free_address();
        let installation = Self { dir: TempDir::new().unwrap(), address };
        installation.configure(rest);
        installation
    }

    pub(crate) fn configure(&self, rest: &str) {
        self.serve_with("", rest);
    }

    /// With further keys of `[server]`, a line each.
    pub(crate) fn serve_with(&self, server: &str, rest: &str) {
        let address = self.address;
        let text = format!(
            "[server]\nlisten = \"{address}\"\npublic_url = \"http://{address}/\"\n{server}\n[poll]\n\
             allow_networks = [\"127.0.0.0/8\"]\n{rest}"
        );
        std::fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("feedmill.toml")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("feedmill.db")
    }

    /// Starts the daemon in this environment, and waits until it answers.
    pub(crate) fn start_in(&self, environment: &[(&str, &str)]) -> Daemon {
        self.up(self.spawn_in(environment))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
        command.env_clear().env("HOME", self.dir.path()).current_dir(self.dir.path());
        command.arg("--config").arg(self.config());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// The same with a terminal for its standard error: what it printed, and what was seen there.
    pub(crate) fn run_on_a_terminal(&self, args: &[&str]) -> (String, String) {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let end = std::fs::OpenOptions::new().write(true).open(name.to_str().unwrap()).unwrap();
        let child = self.command().args(args).env("TERM", "xterm").stdout(Stdio::piped()).stderr(end).spawn().unwrap();
        let mut seen = Vec::new();
        // EIO when nobody has the other end open any more: Linux.
        let _ = std::fs::File::from(terminal).read_to_end(&mut seen);
        let said = child.wait_with_output().unwrap().stdout;
        (String::from_utf8(said).unwrap(), String::from_utf8_lossy(&seen).into_owned())
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start(&self) -> Daemon {
        self.up(self.spawn())
    }

    fn up(&self, daemon: Daemon) -> Daemon {
        let begun = Instant::now();
        while http(self.address, "GET", "/healthz", &[]).is_none_or(|answer| answer.status != 200) {
            assert!(begun.elapsed() < PATIENCE, "it does not start:\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    /// Starts the daemon without waiting.
    pub(crate) fn spawn(&self) -> Daemon {
        self.spawn_in(&[])
    }

    /// The same, under a program that ends up as the daemon itself.
    pub(crate) fn spawn_under(&self, program: &str, args: &[&str]) -> Daemon {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.dir.path()).current_dir(self.dir.path());
        command.args(args).arg(env!("CARGO_BIN_EXE_feedmill")).arg("--config").arg(self.config());
        self.daemon(command)
    }

    fn spawn_in(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        self.daemon(command)
    }

    fn daemon(&self, command: Command) -> Daemon {
        let log = self.dir.path().join("daemon.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        self.daemon_to(command, file.into(), log)
    }

    /// Starts the daemon with another standard error, and waits until it answers.
    pub(crate) fn start_to(&self, stderr: Stdio) -> Daemon {
        self.up(self.daemon_to(self.command(), stderr, self.dir.path().join("daemon.log")))
    }

    fn daemon_to(&self, mut command: Command, stderr: Stdio, log: PathBuf) -> Daemon {
        let child = command.arg("run").stderr(stderr).stdout(Stdio::null()).spawn().unwrap();
        Daemon { child, address: self.address, log }
    }
}

impl Daemon {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        http(self.address, "GET", path, headers).unwrap_or_else(|| panic!("no answer:\n{}", self.log()))
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        http(self.address, method, path, headers).unwrap_or_else(|| panic!("no answer:\n{}", self.log()))
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(path);
        serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{path}: {e}: {}", answer.text()))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Descriptors that it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Pulls the plug.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit status.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until something holds.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: not in time\n{}", self.log());
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One request on a connection of its own.
pub(crate) fn http(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { dechunk(&bytes[split + 4..])? } else { bytes[split + 4..].to_vec() };
    Some(Answer { status, head, body })
}

fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(bytes.get(end + 2..end + 2 + size)?);
        bytes = &bytes[end + 4 + size..];
    }
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An RSS document: (title, link, guid) of each item.
pub(crate) fn rss(items: &[(String, String, String)]) -> String {
    let rows: String = items
        .iter()
        .map(|(title, link, guid)| {
            format!(
                "<item><title>{title}</title><link>{}</link><guid isPermaLink=\"false\">{guid}</guid>\
                 <pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate><description>About {title}.</description></item>",
                link.replace('&', "&amp;")
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>T</title><link>https://home.example/</link>{rows}</channel></rss>")
}

/// `rss` for people who write tests.
pub(crate) fn story(title: &str, link: &str, guid: &str) -> (String, String, String) {
    (title.to_owned(), link.to_owned(), guid.to_owned())
}
