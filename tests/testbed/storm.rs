//! The API server in bad weather: what a network, a busy server and an old credential do to
//! requests, by a seed.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fastrand::Rng;

/// `kubectl proxy`: the API server over plain HTTP, with the administrator's rights.
pub(crate) struct Upstream {
    address: String,
    process: Child,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(format!("{}/bin/kubectl", super::directory()));
        // Without its filter, exec passes too.
        command.env("KUBECONFIG", super::kubeconfig()).args([
            "proxy",
            "--port=0",
            "--disable-filter=true",
        ]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl proxy runs");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("its address");
        let address = line.trim().rsplit(' ').next().expect("an address").to_owned();
        Self { address, process }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What may happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The answer comes late.
    Latency,
    /// The connection breaks before the server saw the request.
    LostRequest,
    /// The server does it, and the connection breaks before it says so.
    LostAnswer,
    /// The answer ends in its middle.
    Truncated,
    TooManyRequests,
    InternalError,
    Unavailable,
    /// A list's pages or a watch's version expired.
    Gone,
    /// The credentials expire: nothing is answered from here on.
    Expired,
}

/// Each as often as it stands here.
const FAULTS: [Fault; 17] = [
    Fault::Latency,
    Fault::Latency,
    Fault::Latency,
    Fault::LostRequest,
    Fault::LostRequest,
    Fault::LostAnswer,
    Fault::LostAnswer,
    Fault::Truncated,
    Fault::Truncated,
    Fault::TooManyRequests,
    Fault::TooManyRequests,
    Fault::InternalError,
    Fault::InternalError,
    Fault::Unavailable,
    Fault::Gone,
    Fault::Gone,
    Fault::Expired,
];

struct Weather {
    random: Rng,
    /// Of a hundred requests, how many meet a fault.
    often: u32,
    expired: bool,
    log: Vec<String>,
}

/// One run's way to the API server.
pub(crate) struct Storm {
    pub(crate) url: String,
    weather: Arc<Mutex<Weather>>,
}

impl Storm {
    pub(crate) fn over(upstream: &Upstream, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut random = Rng::with_seed(seed);
        let often = random.u32(3..25);
        let weather =
            Arc::new(Mutex::new(Weather { random, often, expired: false, log: Vec::new() }));
        let (shared, address) = (Arc::clone(&weather), upstream.address.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (address, weather) = (address.clone(), Arc::clone(&shared));
                thread::spawn(move || pass(client, &address, &weather));
            }
        });
        Self { url, weather }
    }

    /// The faults so far, each with its request.
    pub(crate) fn log(&self) -> Vec<String> {
        self.weather.lock().expect("no thread panicked").log.clone()
    }
}

/// One request a connection.
fn pass(mut client: TcpStream, upstream: &str, weather: &Mutex<Weather>) {
    let Some(request) = Request::read(&mut client) else { return };
    let (fault, number) = {
        let mut weather = weather.lock().expect("no thread panicked");
        let struck = weather.random.u32(0..100) < weather.often;
        let mut fault = struck.then(|| *weather.random.choice(&FAULTS).expect("faults"));
        // Only what reads a version can find it gone.
        if fault == Some(Fault::Gone) && !request.line.starts_with("GET") {
            fault = Some(Fault::InternalError);
        }
        if weather.expired || fault == Some(Fault::Expired) {
            weather.expired = true;
            fault = Some(Fault::Expired);
        }
        if let Some(fault) = fault {
            weather.log.push(format!("{fault:?}: {}", request.line));
        }
        (fault, weather.random.u64(..))
    };
    let refused = |client: &mut TcpStream, code: u16, reason: &str, more: &str| {
        let body = format!(
            r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"bad weather","reason":"{reason}","code":{code}}}"#
        );
        let head = format!(
            "HTTP/1.1 {code} {reason}\r\n{more}Content-Type: application/json\r\nConnection: close\r\n"
        );
        let _ = client
            .write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    };
    match fault {
        None => request.forward(client, upstream, None),
        Some(Fault::Latency) => {
            thread::sleep(Duration::from_millis(number % 1_500));
            request.forward(client, upstream, None);
        }
        Some(Fault::LostRequest) => {}
        Some(Fault::LostAnswer) => request.forward(client, upstream, Some(0)),
        Some(Fault::Truncated) => {
            request.forward(client, upstream, Some(usize::try_from(number % 4_000).unwrap_or(0)))
        }
        Some(Fault::TooManyRequests) => {
            refused(&mut client, 429, "TooManyRequests", "Retry-After: 1\r\n")
        }
        Some(Fault::InternalError) => refused(&mut client, 500, "InternalError", ""),
        Some(Fault::Unavailable) => refused(&mut client, 503, "ServiceUnavailable", ""),
        Some(Fault::Gone) => refused(&mut client, 410, "Expired", ""),
        Some(Fault::Expired) => refused(&mut client, 401, "Unauthorized", ""),
    }
}

struct Request {
    /// Method and path.
    line: String,
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn read(client: &mut TcpStream) -> Option<Self> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match client.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(head).ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        client.read_exact(&mut body).ok()?;
        let line = head.split(" HTTP/").next().unwrap_or_default().to_owned();
        Some(Self { line, head, body })
    }

    /// Lets the server do it, and passes its answer on, or only some bytes of it.
    fn forward(&self, mut client: TcpStream, upstream: &str, at_most: Option<usize>) {
        let Ok(mut server) = TcpStream::connect(upstream) else { return };
        let upgrades = self.head.to_ascii_lowercase().contains("\r\nupgrade:");
        let head = if upgrades {
            self.head.clone()
        } else {
            self.head.replacen("\r\n", "\r\nConnection: close\r\n", 1)
        };
        if server.write_all(head.as_bytes()).and_then(|()| server.write_all(&self.body)).is_err() {
            return;
        }
        if upgrades && let (Ok(mut from), Ok(mut to)) = (client.try_clone(), server.try_clone()) {
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
        match at_most {
            None => {
                let _ = std::io::copy(&mut server, &mut client);
            }
            Some(bytes) => {
                // The server has done it once it begins to answer.
                let mut answer = vec![0; bytes.max(1)];
                let read = server.read(&mut answer).unwrap_or(0).min(bytes);
                let _ = client.write_all(&answer[..read]);
            }
        }
        let _ = client.shutdown(Shutdown::Both);
    }
}
