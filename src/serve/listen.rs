//! Connections: accepted, read and written within limits of number and time, and ended gracefully.
//!
//! ```text
//! accept ─▶ head, within HEAD_TIME ─▶ guard ─▶ a reader's place ─▶ answer, on a thread of its own
//!        ◀─ written, within WRITE_TIME ◀──────────────────────────────────┘
//! ```
//!
//! **Invariants:** the ledger is never read on a thread that serves connections. There are at most
//! `CONNECTIONS` of them and a few readers for each core; who finds no place is told so, and
//! nobody waits for ever. A panic of a view is an answer 500.

use super::books::ConsoleBooks;
use super::guard::{self, GuardVerdict};
use super::http::{HttpAnswer, LONGEST_FORM, LONGEST_HEAD, Method, ParsedHead, Request, parse};
use super::page::PageEngine;
use super::problem::RequestProblem;
use super::query::{UrlQuery, encoded};
use super::router;
use super::setting::ConsoleSetting;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// The most connections; further ones are told to come again.
const CONNECTIONS: usize = 512;
/// With so many connections their heads must come sooner.
const MANY: usize = 128;
/// The least and the most readers of the ledger at a time: as many that search, as many that look
/// single calls up.
///
/// # Why by the cores
/// A reader decodes row groups, and takes some 10 MiB while it does; more of them than cores only
/// wait for each other.
///
/// # Why three queues
/// A search takes a hundred times as long as a page of sums that are there. In one queue all pages
/// would wait as long as the search before them.
const READERS: (usize, usize) = (2, 8);
/// Answers at a time that read no row of calls.
const QUICK: usize = 4;
/// The time for a head, from the first byte on; with many connections the second.
const HEAD_TIME: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(2)];
/// The time for which a connection may be idle; with many connections the second.
const IDLE_TIME: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(2)];
/// The time for an answer to be taken.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// The time for which a request waits for a reader's place.
const PLACE_TIME: Duration = Duration::from_secs(10);
/// The time for which a wrong token waits for its answer.
const WRONG_TIME: Duration = Duration::from_millis(500);
/// The time for open answers to be taken at the end.
const END_TIME: Duration = Duration::from_secs(5);

/// All that a connection needs.
struct Console {
    books: ConsoleBooks,
    pages: PageEngine,
    /// The places of those that search, that look up, and that read no row of calls.
    readers: [Semaphore; 3],
    connections: Arc<Semaphore>,
}

/// The reason why a console does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened at.
    #[error("{0}: cannot be listened at: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// No thread or timer can be had.
    #[error("the console cannot be started: {0}")]
    Runtime(std::io::Error),
    /// A template cannot be used, which would be a bug of it.
    #[error(transparent)]
    Template(#[from] crate::inputs::file::FileError),
}

/// Stops a console.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Has it end: no further connection is accepted, and what is being answered is.
    pub fn stop(&self) {
        let _ = self.0.send(true);
    }
}

/// Serves a ledger until it is stopped. `ready` is given the address, and what stops it.
///
/// # Errors
/// If it cannot be started.
pub fn serve(
    setting: ConsoleSetting,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr, Stop),
) -> Result<(), StartError> {
    let cores = std::thread::available_parallelism().map_or(READERS.0, usize::from);
    let readers = cores.clamp(READERS.0, READERS.1);
    let console = Arc::new(Console {
        books: ConsoleBooks::new(setting),
        pages: PageEngine::new()?,
        readers: [readers, readers, QUICK].map(Semaphore::new),
        connections: Arc::new(Semaphore::new(CONNECTIONS)),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2 * readers + QUICK)
        .thread_name("console")
        .enable_io()
        .enable_time()
        .build()
        .map_err(StartError::Runtime)?;
    let (stop, stopped) = watch::channel(false);
    runtime.block_on(async {
        let listener =
            TcpListener::bind(address).await.map_err(|e| StartError::Listen(address, e))?;
        let local = listener.local_addr().map_err(|e| StartError::Listen(address, e))?;
        ready(local, Stop(stop));
        accept(&console, listener, stopped).await;
        Ok::<_, StartError>(())
    })?;
    runtime.shutdown_timeout(END_TIME);
    Ok(())
}

async fn accept(console: &Arc<Console>, listener: TcpListener, stopped: watch::Receiver<bool>) {
    let mut ends = stopped.clone();
    let all = Arc::clone(&console.connections);
    loop {
        // Whichever comes first: a connection, or the end.
        let accepted = first(listener.accept(), ends.wait_for(|stops| *stops)).await;
        let Some(accepted) = accepted else { break };
        let Ok((stream, peer)) = accepted else {
            // No descriptor is left: those that are open end soon.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        match Arc::clone(&all).try_acquire_owned() {
            Ok(place) => {
                let (console, stopped) = (Arc::clone(console), stopped.clone());
                tokio::spawn(async move {
                    connection(&console, stream, peer, stopped).await;
                    drop(place);
                });
            }
            Err(_) => refuse(console, &stream),
        }
    }
    drop(listener);
    // The places of all connections: each is free once its answer was taken.
    let every = u32::try_from(CONNECTIONS).expect("below four billion");
    let _ = timeout(END_TIME, all.acquire_many(every)).await;
}

/// The first of two futures: `Some` of the first, or `None` if the second is done before.
async fn first<T, U>(one: impl Future<Output = T>, other: impl Future<Output = U>) -> Option<T> {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    std::future::poll_fn(move |context| {
        if other.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(None);
        }
        one.as_mut().poll(context).map(Some)
    })
    .await
}

/// Tells a connection that there is no place for it, without waiting for it.
fn refuse(console: &Console, stream: &TcpStream) {
    let answer = HttpAnswer::text(503, "too many connections\n").with("Retry-After", "1");
    let now = (console.books.setting.now)();
    let _ = stream.try_write(&answer.bytes(now, false, false));
}

async fn connection(
    console: &Arc<Console>,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    loop {
        let is_many = console.connections.available_permits() < CONNECTIONS - MANY;
        let (idle, most) = (IDLE_TIME[usize::from(is_many)], HEAD_TIME[usize::from(is_many)]);
        if buffer.is_empty() {
            let more = timeout(idle, read(&stream, &mut buffer));
            // A connection that asks nothing is closed at the end, and when it was idle for long.
            match first(more, stopped.wait_for(|stops| *stops)).await {
                Some(Ok(true)) => {}
                _ => return,
            }
        }
        let head = timeout(most, head_of(&stream, &mut buffer)).await;
        let request = match head {
            Ok(Ok(request)) => request,
            Ok(Err(None)) => return,
            Ok(Err(Some(status))) => return say(console, &stream, status).await,
            Err(_) => return say(console, &stream, 408).await,
        };
        let is_head = request.method == Method::Head;
        let keeps = request.keeps_alive && !*stopped.borrow();
        let answer = answer(console, request, peer).await;
        let now = (console.books.setting.now)();
        let written = write(&stream, &answer.bytes(now, is_head, keeps)).await;
        if !written || !keeps {
            return;
        }
    }
}

/// Answers with a status alone, and ends.
async fn say(console: &Console, stream: &TcpStream, status: u16) {
    let now = (console.books.setting.now)();
    let answer = HttpAnswer::text(status, format!("{}\n", super::http::reason(status)));
    write(stream, &answer.bytes(now, false, false)).await;
}

/// Reads what is there, at least a byte; false at the end of the connection.
async fn read(stream: &TcpStream, buffer: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 4096];
    loop {
        if stream.readable().await.is_err() {
            return false;
        }
        match stream.try_read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => {
                buffer.extend_from_slice(&bytes[..count]);
                return true;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
}

/// Writes all; false if it was not taken in time.
async fn write(stream: &TcpStream, bytes: &[u8]) -> bool {
    let all = async {
        let mut rest = bytes;
        while !rest.is_empty() {
            if stream.writable().await.is_err() {
                return false;
            }
            match stream.try_write(rest) {
                Ok(0) => return false,
                Ok(count) => rest = &rest[count..],
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        true
    };
    timeout(WRITE_TIME, all).await.unwrap_or(false)
}

/// The next request of a connection, with its body; `None` at its end, or a status to refuse it
/// with.
async fn head_of(stream: &TcpStream, buffer: &mut Vec<u8>) -> Result<Request, Option<u16>> {
    let (mut request, length) = loop {
        match parse(buffer) {
            ParsedHead::Whole(request, length) => break (*request, length),
            ParsedHead::Refused(status) => return Err(Some(status)),
            ParsedHead::Part if buffer.len() > LONGEST_HEAD + LONGEST_FORM => {
                return Err(Some(431));
            }
            ParsedHead::Part => {
                if !read(stream, buffer).await {
                    return Err(None);
                }
            }
        }
    };
    while buffer.len() < length + request.body_length {
        if !read(stream, buffer).await {
            return Err(None);
        }
    }
    request.body = buffer[length..length + request.body_length].to_vec();
    buffer.drain(..length + request.body_length);
    Ok(request)
}

async fn answer(console: &Arc<Console>, request: Request, peer: SocketAddr) -> HttpAnswer {
    let setting = &console.books.setting;
    let (token, now) = (setting.token.as_ref(), (setting.now)());
    let proxy = setting.proxy.as_ref();
    if !router::takes(request.method, &request.path, token.is_some()) {
        let allow = router::allowed(&request.path, token.is_some());
        return refused(console, &request, 405, "only GET and HEAD are answered")
            .with("Allow", allow);
    }
    if let GuardVerdict::Refused(status, why) = guard::place(&request, token.is_some(), proxy) {
        return refused(console, &request, status, why);
    }
    if let Some(token) = token.filter(|_| request.path == "/login") {
        let to = login_target(&request);
        if request.method != Method::Post {
            return router::login(&console.pages, 200, &to, false);
        }
        if guard::form_token(&request).is_some_and(|given| token.is(&given)) {
            return HttpAnswer::to(to).with("Set-Cookie", token.cookie(now));
        }
        tokio::time::sleep(WRONG_TIME).await;
        return router::login(&console.pages, 401, &to, true);
    }
    let is_open = matches!(request.path.as_str(), "/style.css" | "/healthz" | "/robots.txt");
    let user = proxy.and_then(|proxy| proxy.user(&request, peer.ip()));
    match guard::who(&request, token, now) {
        _ if user.is_some() || is_open => {}
        GuardVerdict::Passes if token.is_some() || proxy.is_none() => {}
        GuardVerdict::Passes => {
            return refused(console, &request, 403, "the proxy of this console says who asks");
        }
        verdict => {
            if verdict == GuardVerdict::WrongToken {
                tokio::time::sleep(WRONG_TIME).await;
            }
            let is_page = request.header("accept").is_some_and(|all| all.contains("text/html"));
            if verdict == GuardVerdict::NoToken && is_page && !router::is_api(&request.path) {
                let question = if request.query.is_empty() { "" } else { "?" };
                let to = format!("{}{question}{}", request.path, request.query);
                return HttpAnswer::to(format!("/login?to={}", encoded(&to)));
            }
            return refused(console, &request, 401, "a token is needed")
                .with("WWW-Authenticate", "Bearer");
        }
    }
    let readers = &console.readers[router::cost(&request) as usize];
    let Ok(Ok(place)) = timeout(PLACE_TIME, readers.acquire()).await else {
        return refused(console, &request, 503, "too many requests at a time");
    };
    let (own, asks) = (Arc::clone(console), request.clone());
    let from = match user {
        Some(user) => format!("{user} ({})", peer.ip()),
        None => peer.ip().to_string(),
    };
    let work = move || router::answer(&own.books, &own.pages, &asks, &from);
    let done = tokio::task::spawn_blocking(work).await;
    drop(place);
    done.unwrap_or_else(|_| refused(console, &request, 500, "the page could not be made"))
}

fn refused(console: &Console, request: &Request, status: u16, why: &str) -> HttpAnswer {
    router::failed(&console.books, &console.pages, request, &RequestProblem::new(status, why))
}

/// Where a login leads to: a path of this console.
fn login_target(request: &Request) -> String {
    let query = UrlQuery::parse(&request.query).ok();
    let to = query.as_ref().and_then(|query| query.get("to"));
    to.filter(|to| guard::is_own_path(to)).unwrap_or("/").to_owned()
}
