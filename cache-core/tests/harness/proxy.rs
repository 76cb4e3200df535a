//! A TCP proxy on a free loopback port that delays, stalls and cuts on command.

#![allow(dead_code, reason = "shared by tests that each need another part of it")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// Each chunk of a reply is delayed for this long.
    Delay(Duration),
    /// New connections work only after so long.
    Late(Duration),
    /// They wait; connections stay, and new ones are accepted.
    Stall,
    /// Connections are closed, new ones too.
    Cut,
}

#[derive(Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections before this one stall for ever.
    first: u64,
}

/// A running proxy; its connections end when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    /// Where new connections lead.
    target: Arc<Mutex<String>>,
    state: watch::Sender<State>,
    accepted: Arc<AtomicU64>,
    _server: JoinSet<()>,
}

impl Proxy {
    /// A proxy in front of `target` (`host:port`), which may be down.
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = watch::Sender::new(State { mode: Mode::Pass, first: 0 });
        let accepted = Arc::<AtomicU64>::default();
        let (states, next) = (state.clone(), Arc::clone(&accepted));
        let target = Arc::new(Mutex::new(target));
        let current = Arc::clone(&target);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let number = next.fetch_add(1, Ordering::SeqCst);
                let fate = Fate { number, state: states.subscribe() };
                let target = current.lock().expect("no panic").clone();
                connections.spawn(connect(client, target, fate));
            }
        });
        Self { address, target, state, accepted, _server: server }
    }

    /// `host:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Existing connections pass nothing and stay open; new ones work.
    pub fn strand(&self) {
        self.state.send_modify(|state| state.first = self.accepted.load(Ordering::SeqCst));
    }

    /// New connections lead to another server; existing ones stay.
    pub fn lead_to(&self, target: String) {
        *self.target.lock().expect("no panic") = target;
    }

    /// How many connections were made to it.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// What becomes of one connection.
#[derive(Clone)]
struct Fate {
    number: u64,
    state: watch::Receiver<State>,
}

impl Fate {
    fn mode(&self) -> Mode {
        self.of(*self.state.borrow())
    }

    fn of(&self, state: State) -> Mode {
        if self.number < state.first { Mode::Stall } else { state.mode }
    }

    async fn is(&mut self, wanted: impl Fn(Mode) -> bool) {
        let this = self.clone();
        drop(self.state.wait_for(|state| wanted(this.of(*state))).await);
    }
}

async fn connect(client: TcpStream, target: String, mut fate: Fate) {
    match fate.mode() {
        Mode::Cut => return,
        Mode::Late(time) => tokio::time::sleep(time).await,
        _ => {}
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = pump(from_client, to_server, fate.clone(), ServiceClient::There);
    let back = pump(from_server, to_client, fate.clone(), ServiceClient::Back);
    tokio::select! {
        () = there => {}
        () = back => {}
        () = fate.is(|mode| mode == Mode::Cut) => {}
    }
}

#[derive(Clone, Copy)]
enum ServiceClient {
    There,
    Back,
}

/// Moves bytes one way.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut fate: Fate, client: ServiceClient) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        match (fate.mode(), client) {
            (Mode::Delay(time), ServiceClient::Back) => tokio::time::sleep(time).await,
            (Mode::Stall, _) => fate.is(|mode| mode != Mode::Stall).await,
            _ => {}
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
