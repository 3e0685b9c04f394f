//! Redis for tests: a corner of a server that others use too, or a server of the test's own that
//! may be stopped, paused, flushed and filled with garbage.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Client, Commands, Connection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use uuid::Uuid;

/// Keys that nobody else uses, on the server that `TEST_REDIS_URL` names. What is kept there
/// expires by itself.
#[derive(Debug)]
pub struct RedisCorner {
    /// Where the server is.
    pub url: String,
    /// What each of its keys begins with.
    pub prefix: String,
}

impl RedisCorner {
    /// An empty one.
    pub fn new() -> Self {
        let Ok(url) = std::env::var("TEST_REDIS_URL") else {
            panic!("TEST_REDIS_URL is not set: run the tests by `make test`, which starts a server")
        };
        Self { url, prefix: format!("test:{}", Uuid::new_v4().simple()) }
    }

    /// What is kept in it.
    pub fn contents(&self) -> Contents {
        Contents::of(&self.url, &self.prefix)
    }
}

impl Default for RedisCorner {
    fn default() -> Self {
        Self::new()
    }
}

/// A server that nobody else uses, gone when it is dropped. It keeps nothing when it is stopped.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    process: Child,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let process = launch(&folder);
        Self { folder, process }
    }

    /// Where it is, also while it is stopped.
    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }

    /// Starts it again, empty.
    pub fn start_again(&mut self) {
        self.process = launch(&self.folder);
    }

    /// Lets it answer nobody, while it still takes connections.
    pub fn pause(&self) {
        self.send(Signal::STOP);
    }

    /// Lets it answer again, first what was asked meanwhile.
    pub fn resume(&self) {
        self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("it has an id"), signal).expect("it runs");
    }

    /// What it keeps under keys that begin so.
    pub fn contents(&self, prefix: &str) -> Contents {
        Contents::of(&self.url(), prefix)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Its test may have stopped it.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn launch(folder: &TempDir) -> Child {
    let mut process = Command::new("redis-server")
        .args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server can be started (Debian: apt-get install redis-server)");
    let log = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut log = log.lines().map_while(Result::ok);
    let is_ready = log.any(|line| line.contains("ready to accept connections"));
    assert!(is_ready, "redis-server ended before it took connections");
    // A full pipe would stop it.
    std::thread::spawn(move || log.for_each(drop));
    process
}

/// What a Redis keeps under some keys.
pub struct Contents {
    connection: Connection,
    prefix: String,
}

impl Contents {
    fn of(url: &str, prefix: &str) -> Self {
        let client = Client::open(url).expect("a URL of Redis");
        let connection = client.get_connection().expect("Redis is there");
        Self { connection, prefix: prefix.to_owned() }
    }

    /// The keys.
    pub fn keys(&mut self) -> Vec<String> {
        let pattern = format!("{}:*", self.prefix);
        self.connection.keys(pattern).expect("Redis answers")
    }

    /// How long each key is kept, in milliseconds; less than zero is for good.
    pub fn times_to_live(&mut self) -> Vec<i64> {
        let keys = self.keys();
        let times = keys.iter().map(|key| self.connection.pttl(key).expect("Redis answers"));
        times.collect()
    }

    /// Copies what is kept under a key, and for how long, to another.
    pub fn copy(&mut self, from: &str, to: &str) {
        let mut copy = redis::cmd("COPY");
        copy.arg(from).arg(to).exec(&mut self.connection).expect("Redis answers");
    }

    /// From now on a key is kept for so long.
    pub fn keep_for(&mut self, key: &str, life: Duration) {
        let mut expire = redis::cmd("PEXPIRE");
        let millis = u64::try_from(life.as_millis()).expect("not that long");
        expire.arg(key).arg(millis).exec(&mut self.connection).expect("Redis answers");
    }

    /// From now on a key is kept for good.
    pub fn keep_for_good(&mut self, key: &str) {
        redis::cmd("PERSIST").arg(key).exec(&mut self.connection).expect("Redis answers");
    }

    /// Deletes everything on the server, of whatever prefix.
    pub fn flush_server(&mut self) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).expect("Redis answers");
    }

    /// Puts garbage in the place of every key, for good; says how many there were.
    pub fn fill_with(&mut self, garbage: Garbage) -> usize {
        let keys = self.keys();
        for key in &keys {
            let (command, arguments) = garbage.command();
            // In one step: others may be writing there.
            redis::pipe()
                .atomic()
                .del(key)
                .cmd(command)
                .arg(key)
                .arg(arguments)
                .exec(&mut self.connection)
                .expect("Redis answers");
        }
        keys.len()
    }
}

/// What nobody expects under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    /// Words.
    Text,
    /// Bytes that are no text.
    Bytes,
    /// Nothing, under a key that is there.
    Empty,
    /// A number beyond every other.
    Infinite,
    /// A text that reads as a number and is none.
    NotANumber,
    /// A time that never comes.
    FarFuture,
    /// Less than zero.
    Negative,
    /// Another type.
    List,
    /// Another type.
    Set,
    /// Another type.
    SortedSet,
    /// Another type.
    Hash,
    /// Another type.
    Stream,
}

impl Garbage {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Text,
        Self::Bytes,
        Self::Empty,
        Self::Infinite,
        Self::NotANumber,
        Self::FarFuture,
        Self::Negative,
        Self::List,
        Self::Set,
        Self::SortedSet,
        Self::Hash,
        Self::Stream,
    ];

    fn command(self) -> (&'static str, &'static [&'static [u8]]) {
        match self {
            Self::Text => ("SET", &[b"garbage"]),
            Self::Bytes => ("SET", &[b"\xff\x00\xfe"]),
            Self::Empty => ("SET", &[b""]),
            Self::Infinite => ("SET", &[b"inf"]),
            Self::NotANumber => ("SET", &[b"nan"]),
            Self::FarFuture => ("SET", &[b"8999999999999999"]),
            Self::Negative => ("SET", &[b"-1e300"]),
            Self::List => ("RPUSH", &[b"1", b"2"]),
            Self::Set => ("SADD", &[b"1", b"2"]),
            Self::SortedSet => ("ZADD", &[b"1", b"2"]),
            Self::Hash => ("HSET", &[b"1", b"2"]),
            Self::Stream => ("XADD", &[b"*", b"1", b"2"]),
        }
    }
}
