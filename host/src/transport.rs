//! A connection: lines of JSON in, lines of JSON out, each kind of request in its own lane. The same over a socket
//! and over stdio.

mod descriptors;
pub mod line;
pub mod relay;
pub mod socket;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::consumers::Kept;
use crate::place::Place;
use crate::rpc::envelope::{self, Request};
use crate::rpc::error::RpcError;
use crate::rpc::feed::Feed;
use crate::rpc::journal::feed as verdicts;
use crate::rpc::scope::{self, Access};
use crate::rpc::watch::{Stream, Subscribe, acked, unsubscribed};
use crate::rpc::{self, Answer, Lane, Service, lane, legacy, plugins, wire};
use crate::subscription::Hub;
use line::{Input, Lines};

/// Requests that one connection may have under way, waiting or running. Those of the control lane have room of their
/// own, so that a flood of sends cannot refuse an unsubscribe.
const OUTSTANDING: usize = 128;
const OUTSTANDING_CONTROL: usize = 32;

/// Reads of one connection that run at the same time.
const READS: usize = 4;

/// Subscriptions of one connection, and of all together.
const SUBSCRIPTIONS: usize = 64;
pub const ALL_SUBSCRIPTIONS: usize = 512;

/// Lines that wait for the client to read them; subscriptions have queues of their own before this one.
const OUTPUT_LINES: usize = 64;

/// Bytes that wait for the client. A line that is longer waits alone. With what is under way (one answer for each of
/// [`READS`]), what a client that reads nothing can cost.
const OUTPUT_BYTES: u32 = 8 << 20;

/// One line to the client.
pub enum Line {
    Whole(String),
    /// A `message` notification: the message's JSON is shared by all who get it.
    Message {
        prefix: Arc<str>,
        json: Arc<str>,
        /// For `watch.ack`, in JSON.
        cursor: Option<Arc<str>>,
        mark: Mark,
    },
}

/// What is noted once a line was written.
pub struct Mark {
    /// Whose place is moved, if it is kept.
    pub kept: Option<Arc<Kept>>,
    pub place: Place,
    /// When the message was first read, if that was just now.
    pub seen_at: Option<Timestamp>,
}

impl Mark {
    fn written(&self) {
        if let Some(kept) = &self.kept {
            kept.written(&self.place);
        }
    }
}

impl Line {
    fn bytes(&self) -> usize {
        match self {
            Line::Whole(line) => line.len(),
            Line::Message { prefix, json, .. } => prefix.len() + json.len(),
        }
    }
}

/// A line with its room among those that wait.
type Waiting = (Line, OwnedSemaphorePermit);

/// The way to the client. Cloned for everybody who has something to say.
#[derive(Clone)]
pub struct Output {
    lines: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

impl Output {
    fn new(lines: mpsc::Sender<Waiting>) -> Output {
        Output { lines, room: Arc::new(Semaphore::new(OUTPUT_BYTES as usize)) }
    }

    /// Waits until there is room; false when the client is gone.
    pub async fn send(&self, line: Line) -> bool {
        let bytes = u32::try_from(line.bytes()).unwrap_or(OUTPUT_BYTES).min(OUTPUT_BYTES);
        let Ok(room) = self.room.clone().acquire_many_owned(bytes).await else { return false };
        self.lines.send((line, room)).await.is_ok()
    }

    async fn result(&self, id: Option<Value>, answer: Answer) {
        let Some(id) = id else { return };
        let line = match answer {
            Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
            Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error.to_json()}).to_string(),
        };
        self.send(Line::Whole(line)).await;
    }
}

/// A request with its place among the outstanding ones.
struct Admitted {
    request: Request,
    _place: OwnedSemaphorePermit,
}

/// Serves one client until it closes its side, or until `stop` becomes true; then what was accepted is finished.
pub async fn serve(
    service: Arc<Service>,
    access: Access,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    mut stop: watch::Receiver<bool>,
) {
    let (sender, queue) = mpsc::channel(OUTPUT_LINES);
    let writer = tokio::spawn(write_lines(queue, output, service.hub.clone()));
    let output = Output::new(sender);
    let (control, control_queue) = mpsc::channel(OUTSTANDING_CONTROL);
    let (mutations, mutation_queue) = mpsc::channel(OUTSTANDING);
    let closing = watch::channel(false);
    let control_worker = tokio::spawn(work_control(service.clone(), output.clone(), control_queue, closing.1));
    let mutation_worker = tokio::spawn(work_mutations(service.clone(), output.clone(), mutation_queue));
    let mut connection = Connection {
        is_legacy: false,
        access,
        service: service.clone(),
        output,
        outstanding: Arc::new(Semaphore::new(OUTSTANDING)),
        outstanding_control: Arc::new(Semaphore::new(OUTSTANDING_CONTROL)),
        reading: Arc::new(Semaphore::new(READS)),
        reads: JoinSet::new(),
        control,
        mutations,
    };
    let mut lines = Lines::new(input, service.config.load().server.max_line_bytes);
    loop {
        let next = tokio::select! {
            next = lines.next() => next,
            () = is_set(&mut stop) => break,
            () = connection.output.lines.closed() => break,
        };
        match next {
            Ok(Input::Line(line)) => connection.take(line).await,
            Ok(Input::TooLong) => {
                let text = format!("a line of more than {} bytes", lines.limit());
                connection.output.result(Some(Value::Null), Err(RpcError::invalid_request(text))).await;
            }
            Ok(Input::End) | Err(_) => break,
        }
    }
    let Connection { mut reads, control, mutations, output, .. } = connection;
    let _ = closing.0.send(true);
    drop((control, mutations));
    let _ = control_worker.await;
    while reads.join_next().await.is_some() {}
    let _ = mutation_worker.await;
    drop(output);
    let _ = writer.await;
}

/// Waits until the flag is set, or nobody can set it any more.
pub async fn is_set(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|is_set| *is_set).await;
}

struct Connection {
    /// Takes parameters as `imsg` 0.9 did.
    is_legacy: bool,
    access: Access,
    service: Arc<Service>,
    output: Output,
    outstanding: Arc<Semaphore>,
    outstanding_control: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    reads: JoinSet<()>,
    control: mpsc::Sender<Admitted>,
    mutations: mpsc::Sender<Admitted>,
}

impl Connection {
    async fn take(&mut self, line: &[u8]) {
        let mut request = match envelope::parse_in(line, self.is_legacy) {
            Ok(request) => request,
            Err(refused) if refused.is_silent => return,
            Err(refused) => return self.output.result(Some(refused.id), Err(refused.error)).await,
        };
        // Here and not in a lane, since both are about the very next line.
        if request.method == legacy::METHOD {
            return self.set_compat(request).await;
        }
        let config = self.service.config.load_full();
        if request.method == scope::METHOD {
            let answer = self.access.asked(request.params, &config);
            return self.output.result(request.id, answer).await;
        }
        match self.access.check(&request.method, &config) {
            Ok(scopes) => request.scopes = scopes,
            Err(refused) => return self.output.result(request.id, Err(refused)).await,
        }
        let lane = lane(&request.method);
        let places = if lane == Lane::Control { &self.outstanding_control } else { &self.outstanding };
        let Ok(place) = places.clone().try_acquire_owned() else {
            let busy = Err(RpcError::busy("outstanding request limit exceeded"));
            return self.output.result(request.id, busy).await;
        };
        let admitted = Admitted { request, _place: place };
        match lane {
            // Both queues have room for all that were given a place.
            Lane::Control => drop(self.control.send(admitted).await),
            Lane::Mutation => drop(self.mutations.send(admitted).await),
            Lane::Read => self.read(admitted),
        }
    }

    async fn set_compat(&mut self, request: Request) {
        let answer = match legacy::asked(request.params) {
            Ok((is_legacy, answer)) => {
                self.is_legacy = is_legacy;
                answer
            }
            Err(error) => Err(error),
        };
        self.output.result(request.id, answer).await;
    }

    fn read(&mut self, admitted: Admitted) {
        // Finished ones are taken out here, so that the set holds no more than are under way.
        while self.reads.try_join_next().is_some() {}
        let (service, output, reading) = (self.service.clone(), self.output.clone(), self.reading.clone());
        self.reads.spawn(async move {
            let _turn = reading.acquire().await;
            carry_out(&service, &output, admitted).await;
        });
    }
}

async fn carry_out(service: &Service, output: &Output, admitted: Admitted) {
    let Admitted { mut request, _place } = admitted;
    let id = request.id.take();
    let answer = match request.method.as_str() {
        // Has something to say before its answer.
        rpc::replay::METHOD => rpc::replay::replay(service, request.params, output, id.as_ref()).await,
        _ => service.call(request).await,
    };
    output.result(id, answer).await;
}

async fn work_mutations(service: Arc<Service>, output: Output, mut queue: mpsc::Receiver<Admitted>) {
    while let Some(admitted) = queue.recv().await {
        carry_out(&service, &output, admitted).await;
    }
}

async fn work_control(
    service: Arc<Service>,
    output: Output,
    mut queue: mpsc::Receiver<Admitted>,
    mut closing: watch::Receiver<bool>,
) {
    let mut subscriptions = Subscriptions { service, output, running: HashMap::new(), last: 0 };
    let is_closing = closing.clone();
    loop {
        tokio::select! {
            admitted = queue.recv() => match admitted {
                Some(admitted) => {
                    let is_closing = *is_closing.borrow();
                    subscriptions.carry_out(admitted, is_closing).await;
                }
                None => break,
            },
            () = is_set(&mut closing), if !subscriptions.running.is_empty() => {
                subscriptions.end_all().await;
            }
        }
    }
    subscriptions.end_all().await;
}

/// The subscriptions of one connection, by number.
struct Subscriptions {
    service: Arc<Service>,
    output: Output,
    running: HashMap<u64, Running>,
    last: u64,
}

struct Running {
    task: JoinHandle<()>,
    kept: Option<Arc<Kept>>,
}

impl Subscriptions {
    async fn carry_out(&mut self, admitted: Admitted, is_closing: bool) {
        match admitted.request.method.as_str() {
            "watch.subscribe" => self.subscribe(admitted, is_closing).await,
            "journal.subscribe" => self.follow(admitted, is_closing, verdicts::open).await,
            "plugins.follow" => self.follow(admitted, is_closing, plugins::open).await,
            "watch.unsubscribe" => {
                let Request { id, params, .. } = admitted.request;
                let answer = match unsubscribed(params) {
                    Ok(number) => {
                        self.end(number).await;
                        rpc::answer(&wire::watch::Unsubscribed { ok: true })
                    }
                    Err(error) => Err(error),
                };
                self.output.result(id, answer).await;
            }
            "watch.ack" => {
                let Request { id, params, .. } = admitted.request;
                let answer = self.ack(params).await;
                self.output.result(id, answer).await;
            }
            _ => carry_out(&self.service, &self.output, admitted).await,
        }
    }

    async fn ack(&self, params: serde_json::Map<String, Value>) -> Answer {
        let (number, place) = acked(params)?;
        let kept = self.running.get(&number).and_then(|running| running.kept.as_ref()).filter(|kept| kept.acks);
        let kept = kept.ok_or_else(|| RpcError::params(format!("subscription {number} takes no acknowledgements")))?;
        if !kept.ack(place).await? {
            return Err(RpcError::params("cursor is none that a message of this subscription had"));
        }
        rpc::answer(&wire::watch::Acked { ok: true })
    }

    async fn subscribe(&mut self, admitted: Admitted, is_closing: bool) {
        let Request { id, params, .. } = admitted.request;
        match self.open(params, is_closing).await {
            Ok((stream, buffer, place)) => {
                self.last += 1;
                let number = self.last;
                let answer = rpc::answer(&wire::watch::Subscribed { subscription: number, buffer_limit: buffer });
                // The answer is in the queue before the stream can put anything there.
                self.output.result(id, answer).await;
                let (kept, output) = (stream.kept(), self.output.clone());
                let task = tokio::spawn(async move {
                    let _place = place;
                    stream.run(output).await;
                });
                self.running.insert(number, Running { task, kept });
            }
            Err(error) => self.output.result(id, Err(error)).await,
        }
    }

    async fn follow<T: Send + Sync + 'static>(
        &mut self,
        admitted: Admitted,
        is_closing: bool,
        open: impl FnOnce(Arc<Service>, u64, serde_json::Map<String, Value>) -> Result<(Feed<T>, usize), RpcError>,
    ) {
        let Request { id, params, .. } = admitted.request;
        let opened = self.place(is_closing).and_then(|place| {
            let (feed, buffer) = open(self.service.clone(), self.last + 1, params)?;
            Ok((feed, buffer, place))
        });
        match opened {
            Ok((feed, buffer, place)) => {
                self.last += 1;
                let answer = rpc::answer(&wire::watch::Subscribed { subscription: self.last, buffer_limit: buffer });
                self.output.result(id, answer).await;
                let output = self.output.clone();
                let task = tokio::spawn(async move {
                    let _place = place;
                    feed.run(output).await;
                });
                self.running.insert(self.last, Running { task, kept: None });
            }
            Err(error) => self.output.result(id, Err(error)).await,
        }
    }

    /// A place among the subscriptions of this connection and of all.
    fn place(&mut self, is_closing: bool) -> Result<OwnedSemaphorePermit, RpcError> {
        if is_closing {
            return Err(RpcError::busy("server is shutting down"));
        }
        self.running.retain(|_, running| !running.task.is_finished());
        let place = self.service.subscriptions.clone().try_acquire_owned().ok();
        let place = place.filter(|_| self.running.len() < SUBSCRIPTIONS);
        place.ok_or_else(|| RpcError::busy("subscription limit exceeded"))
    }

    async fn open(
        &mut self,
        params: serde_json::Map<String, Value>,
        is_closing: bool,
    ) -> Result<(Stream, usize, OwnedSemaphorePermit), RpcError> {
        let subscribe = Subscribe::check(params)?;
        let place = self.place(is_closing)?;
        let buffer = subscribe.buffer;
        let stream = Stream::open(self.service.clone(), self.last + 1, subscribe).await?;
        Ok((stream, buffer, place))
    }

    /// Ends a subscription; after this, nothing of it follows.
    async fn end(&mut self, number: u64) {
        if let Some(Running { task, kept }) = self.running.remove(&number) {
            if let Some(kept) = kept {
                kept.end();
            }
            task.abort();
            let _ = task.await;
        }
    }

    async fn end_all(&mut self) {
        for (_, Running { task, .. }) in self.running.drain() {
            task.abort();
            let _ = task.await;
        }
    }
}

/// Writes whatever waits in one go. Ends when nobody can say anything any more, or the client is gone.
async fn write_lines(mut queue: mpsc::Receiver<Waiting>, mut output: impl AsyncWrite + Unpin, hub: Arc<Hub>) {
    let mut waiting = Vec::with_capacity(OUTPUT_LINES);
    let mut buffer = Vec::new();
    let mut marks = Vec::new();
    let mut rooms = Vec::with_capacity(OUTPUT_LINES);
    while queue.recv_many(&mut waiting, OUTPUT_LINES).await > 0 {
        for (line, room) in waiting.drain(..) {
            rooms.push(room);
            match line {
                Line::Whole(line) => buffer.extend_from_slice(line.as_bytes()),
                Line::Message { prefix, json, cursor, mark } => {
                    buffer.extend_from_slice(prefix.as_bytes());
                    buffer.extend_from_slice(json.as_bytes());
                    if let Some(cursor) = cursor {
                        buffer.extend_from_slice(br#","cursor":"#);
                        buffer.extend_from_slice(cursor.as_bytes());
                    }
                    buffer.extend_from_slice(b"}}");
                    marks.push(mark);
                }
            }
            buffer.push(b'\n');
        }
        if output.write_all(&buffer).await.is_err() || output.flush().await.is_err() {
            return;
        }
        marks.iter().for_each(Mark::written);
        // The one that waited longest speaks for those that were written with it.
        if let Some(seen_at) = marks.iter().filter_map(|mark| mark.seen_at).min() {
            hub.lag.told(seen_at);
        }
        marks.clear();
        buffer.clear();
        rooms.clear();
        // One large answer must not cost its size for as long as the connection lives.
        buffer.shrink_to(64 << 10);
    }
}
