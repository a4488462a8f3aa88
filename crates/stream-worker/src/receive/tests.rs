use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use aws_adapters::starts_queue::{Start, WAIT_SECONDS};
use kvs_stream_consumer::{Event, Failure};
use lambda_support::TimeScale;
use serde_json::{Value, json};
use session::{ErrorKind, PortError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::*;
use crate::capacity::Bounds;
use crate::load::Load;
use crate::message::TRIES;
use crate::queue::VISIBILITY_SECONDS;
use crate::sessions::Sessions;
use crate::stop::Stop;

/// A queue in memory, with the visibility and the receive counts of SQS.
#[derive(Default)]
struct FakeQueue {
    messages: Mutex<BTreeMap<u32, Message>>,
    arrived: Notify,
    /// Whether calls on received messages fail.
    unavailable: Mutex<bool>,
    /// When each dead letter was moved.
    dead: Mutex<Vec<Instant>>,
}

struct Message {
    body: String,
    visible: Instant,
    receives: u32,
}

impl FakeQueue {
    fn send(&self, body: &Value) {
        let mut messages = self.messages();
        let id = u32::try_from(messages.len()).unwrap();
        let message = Message { body: body.to_string(), visible: Instant::now(), receives: 0 };
        messages.insert(id, message);
        self.arrived.notify_waiters();
    }

    fn messages(&self) -> MutexGuard<'_, BTreeMap<u32, Message>> {
        self.messages.lock().unwrap()
    }

    fn take(&self, most: usize) -> Vec<Start> {
        let now = Instant::now();
        let mut messages = self.messages();
        messages.retain(|_, message| {
            let is_dead = message.visible <= now && message.receives >= TRIES;
            if is_dead {
                self.dead.lock().unwrap().push(now);
            }
            !is_dead
        });
        let visible = messages.iter_mut().filter(|(_, message)| message.visible <= now);
        visible
            .take(most)
            .map(|(id, message)| {
                message.visible = now + seconds(VISIBILITY_SECONDS);
                message.receives += 1;
                let (body, receives) = (message.body.clone(), message.receives);
                Start { receipt: format!("{id}.{receives}"), body, trace: None, receives }
            })
            .collect()
    }

    fn available(&self) -> Result<(), PortError> {
        match *self.unavailable.lock().unwrap() {
            true => Err(PortError::new("ChangeMessageVisibility", ErrorKind::Unavailable, "down")),
            false => Ok(()),
        }
    }
}

fn seconds(number: i32) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap())
}

fn id(receipt: &str) -> u32 {
    receipt.split('.').next().unwrap().parse().unwrap()
}

impl Queue for FakeQueue {
    async fn receive(&self, most: usize) -> Result<Vec<Start>, PortError> {
        let until = Instant::now() + seconds(WAIT_SECONDS);
        while Instant::now() < until {
            let arrived = self.arrived.notified();
            let starts = self.take(most);
            if !starts.is_empty() {
                return Ok(starts);
            }
            let _ = timeout(Duration::from_millis(500), arrived).await;
        }
        Ok(Vec::new())
    }

    async fn hide(&self, receipt: &str, visibility: i32) -> Result<(), PortError> {
        self.available()?;
        if let Some(message) = self.messages().get_mut(&id(receipt)) {
            message.visible = Instant::now() + seconds(visibility);
        }
        Ok(())
    }

    async fn delete(&self, receipt: &str) -> Result<(), PortError> {
        self.available()?;
        self.messages().remove(&id(receipt));
        Ok(())
    }
}

/// Ends a run after `seconds` of its event, or when its host stops; fails if the event says so, and
/// panics if there are no seconds.
#[derive(Default)]
struct FakeConsumer {
    handled: Mutex<Vec<(Value, Instant)>>,
    most: Mutex<(usize, usize)>,
    stopping: Mutex<Option<watch::Receiver<Option<Instant>>>>,
}

impl FakeConsumer {
    fn times(&self) -> usize {
        self.handled.lock().unwrap().len()
    }

    fn most_at_once(&self) -> usize {
        self.most.lock().unwrap().1
    }
}

impl Handler for FakeConsumer {
    async fn handle(&self, event: Event) -> Result<Value, Failure> {
        self.handled.lock().unwrap().push((event.payload.clone(), Instant::now()));
        {
            let mut most = self.most.lock().unwrap();
            most.0 += 1;
            most.1 = most.1.max(most.0);
        }
        let stopping = self.stopping.lock().unwrap().clone();
        let mut stopping = stopping.unwrap();
        let stopped = async move { stopping.wait_for(Option::is_some).await.map(drop) };
        let seconds = event.payload["seconds"].as_u64().expect("a run that panics");
        tokio::select! {
            () = sleep(Duration::from_secs(seconds)) => {}
            // A hand-over takes a second.
            _ = stopped => sleep(Duration::from_secs(1)).await,
        }
        self.most.lock().unwrap().0 -= 1;
        match event.payload["fails"] == true {
            true => Err(Failure::UnknownEvent("a test".to_owned())),
            false => Ok(Value::Null),
        }
    }
}

struct Worker {
    messages: Arc<Messages<FakeQueue, FakeConsumer>>,
    capacity: Capacity,
    stop: watch::Sender<Option<Instant>>,
}

impl Worker {
    fn start(bounds: Bounds) -> Self {
        Self::of_queue(Arc::default(), bounds)
    }

    fn of_queue(queue: Arc<FakeQueue>, bounds: Bounds) -> Self {
        let (stop, stops) = watch::channel(None);
        let sessions = Sessions::default();
        let handler =
            FakeConsumer { stopping: Mutex::new(Some(stops.clone())), ..Default::default() };
        let messages = Messages {
            queue,
            handler: Arc::new(handler),
            run: Duration::from_secs(3600),
            scale: TimeScale::default(),
            stop: Stop::follow(stops),
            sessions: sessions.clone(),
        };
        let (messages, capacity) = (Arc::new(messages), Capacity::new(bounds, sessions));
        let (own, room) = (Arc::clone(&messages), capacity.clone());
        tokio::spawn(async move { receive(&own, &room).await });
        Self { messages, capacity, stop }
    }

    fn queue(&self) -> &FakeQueue {
        &self.messages.queue
    }

    fn consumer(&self) -> &FakeConsumer {
        &self.messages.handler
    }

    fn stop(&self) {
        self.stop.send_replace(Some(Instant::now() + Duration::from_secs(100)));
    }
}

const MANY: Bounds = Bounds { sessions: 100, cpu: 0.75, memory: 0.8 };

async fn after(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_invisible_while_its_run_lasts_and_deleted_after_it() {
    let worker = Worker::start(MANY);
    worker.queue().send(&json!({"seconds": 300}));
    after(299).await;
    assert_eq!((worker.consumer().times(), worker.messages.sessions.count()), (1, 1));
    assert_eq!(worker.queue().messages().len(), 1);
    after(2).await;
    assert_eq!(worker.queue().messages().len(), 0);
    assert_eq!((worker.consumer().times(), worker.messages.sessions.count()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_message_comes_back_after_one_and_after_two_minutes() {
    let worker = Worker::start(MANY);
    worker.queue().send(&json!({"seconds": 0, "fails": true}));
    after(59).await;
    assert_eq!(worker.consumer().times(), 1);
    after(3).await;
    assert_eq!(worker.consumer().times(), 2);
    after(115).await;
    assert_eq!(worker.consumer().times(), 2);
    after(8).await;
    assert_eq!(worker.consumer().times(), 3);
    assert_eq!(worker.queue().messages().len(), 0);
    assert_eq!(worker.queue().dead.lock().unwrap().len(), 1, "it is moved after its last try");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_no_json_is_handled_as_an_unknown_event() {
    let worker = Worker::start(MANY);
    let visible = Instant::now();
    let message = Message { body: "{".to_owned(), visible, receives: 0 };
    worker.queue().messages().insert(7, message);
    after(1).await;
    assert_eq!(worker.consumer().handled.lock().unwrap()[0].0, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_leaves_its_message_to_come_back_and_does_not_count() {
    let worker = Worker::start(MANY);
    worker.queue().send(&json!({"sessionId": "a-b-1"}));
    after(1).await;
    assert_eq!((worker.consumer().times(), worker.messages.sessions.count()), (1, 0));
    after(30).await;
    assert_eq!(worker.consumer().times(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_capacity_receives_nothing() {
    let worker = Worker::start(Bounds { sessions: 3, ..MANY });
    for _ in 0..9 {
        worker.queue().send(&json!({"seconds": 60}));
    }
    after(30).await;
    assert_eq!(worker.consumer().times(), 3);
    let untouched = |message: &&Message| message.receives == 0;
    assert_eq!(worker.queue().messages().values().filter(untouched).count(), 6);
    after(202).await;
    assert_eq!((worker.consumer().times(), worker.consumer().most_at_once()), (9, 3));
    worker.capacity.set_load(Load { cpu: Some(0.9), memory: None });
    // The call that began before takes what comes.
    worker.queue().send(&json!({"seconds": 1}));
    after(30).await;
    worker.queue().send(&json!({"seconds": 1}));
    after(60).await;
    assert_eq!(worker.consumer().times(), 10, "the CPU is in use");
    worker.capacity.set_load(Load::default());
    after(2).await;
    assert_eq!(worker.consumer().times(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_worker_hands_over_its_runs_and_hands_back_what_it_still_receives() {
    let worker = Worker::start(MANY);
    worker.queue().send(&json!({"seconds": 3000}));
    after(5).await;
    worker.stop();
    // A continuation, which the call in flight receives.
    worker.queue().send(&json!({"seconds": 3000}));
    timeout(Duration::from_secs(30), worker.messages.sessions.all_ended()).await.unwrap();
    after(10).await;
    assert_eq!(worker.consumer().times(), 1);
    let messages = worker.queue().messages();
    let [message] = &messages.values().collect::<Vec<_>>()[..] else { panic!() };
    assert!(message.receives <= 1 && message.visible <= Instant::now(), "it is for others");
}

#[tokio::test(start_paused = true)]
async fn many_workers_that_stop_at_once_use_up_one_try_of_a_message() {
    let queue = Arc::new(FakeQueue::default());
    let workers: Vec<_> = (0..9).map(|_| Worker::of_queue(Arc::clone(&queue), MANY)).collect();
    after(1).await;
    workers.iter().for_each(Worker::stop);
    queue.send(&json!({"seconds": 1}));
    after(4).await;
    let remaining = Worker::of_queue(Arc::clone(&queue), MANY);
    after(30).await;
    assert_eq!(remaining.consumer().times(), 1);
    assert!(queue.messages().is_empty() && queue.dead.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_fails_does_not_end_the_run() {
    let worker = Worker::start(MANY);
    worker.queue().send(&json!({"seconds": 25}));
    after(5).await;
    *worker.queue().unavailable.lock().unwrap() = true;
    after(17).await;
    *worker.queue().unavailable.lock().unwrap() = false;
    after(10).await;
    assert_eq!((worker.consumer().times(), worker.queue().messages().len()), (1, 0));
}
