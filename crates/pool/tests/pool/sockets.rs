//! Real connections to a real server, which counts them.

use assay_pool::{Connect, EndpointTerms, LeaseError, Pool, PoolTerms, Wish};
use assay_rules::{Dice, breaker::Answer};
use std::{
    collections::HashSet,
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, timeout},
};

const MINUTE: Duration = Duration::from_mins(1);

struct Tcp;

impl Connect for Tcp {
    type Connection = TcpStream;
    type Error = io::Error;

    async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }

    async fn is_alive(&self, connection: &mut TcpStream) -> bool {
        let read = connection.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn close(&self, mut connection: TcpStream) {
        connection.shutdown().await.ok();
    }
}

/// What a server does with a byte.
#[derive(Clone, Copy, PartialEq)]
enum Serves {
    Echo,
    Nothing,
}

#[derive(Debug, Default)]
struct Counted {
    open: AtomicUsize,
    most: AtomicUsize,
    served: AtomicUsize,
}

/// A server that ends with the test's runtime.
async fn server(serves: Serves) -> (String, Arc<Counted>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let counted = Arc::new(Counted::default());
    let shared = Arc::clone(&counted);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&shared);
            let open = counted.open.fetch_add(1, Ordering::SeqCst) + 1;
            counted.most.fetch_max(open, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut byte = [0];
                while matches!(stream.read(&mut byte).await, Ok(1)) {
                    if serves == Serves::Echo && stream.write_all(&byte).await.is_ok() {
                        counted.served.fetch_add(1, Ordering::SeqCst);
                    }
                }
                counted.open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, counted)
}

/// Counts our descriptors of sockets that lead to the server or are its own. Not all of the process:
/// the runtimes of other tests come and go beside this one.
fn descriptors(address: &str) -> usize {
    let (_, port) = address.rsplit_once(':').expect("a port");
    let port = format!(":{:04X}", port.parse::<u16>().expect("a port"));
    let table = fs::read_to_string("/proc/self/net/tcp").expect("Linux");
    let of_server = table.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = words[1].ends_with(&port) || words[2].ends_with(&port);
        ours.then(|| format!("socket:[{}]", words[9]))
    });
    let of_server: HashSet<String> = of_server.collect();
    let open = fs::read_dir("/proc/self/fd").expect("Linux");
    let open = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    open.filter(|to| to.to_str().is_some_and(|to| of_server.contains(to))).count()
}

async fn echo(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"x").await?;
    stream.read_exact(&mut [0]).await.map(drop)
}

#[tokio::test]
async fn five_hundred_callers_share_fifty_sockets_in_order() {
    let (address, counted) = server(Serves::Echo).await;
    let pool = Arc::new(Pool::start(Tcp, PoolTerms::default(), Dice::seeded(1)));
    let service = pool.service("static");
    pool.add(service, EndpointTerms::local(&address, 1_000));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut callers = JoinSet::new();
    for caller in 0..500 {
        let (pool, order) = (Arc::clone(&pool), Arc::clone(&order));
        callers.spawn(async move {
            let wish = Wish { service, deadline: Instant::now() + MINUTE, avoid: None };
            let mut lease = pool.lease(wish).await.expect("all are served");
            order.lock().expect("no panic").push(caller);
            echo(&mut lease).await.expect("it echoes");
            lease.finish(Answer::Success);
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("no caller panics");
    }
    let most = counted.most.load(Ordering::SeqCst);
    assert!(most <= 50, "{most} sockets at once");
    assert_eq!(counted.served.load(Ordering::SeqCst), 500);
    // The first fifty connect at once, and stand in any order; all others are served as they came.
    let order = order.lock().expect("no panic").clone();
    let waited: Vec<i32> = order.into_iter().filter(|caller| *caller >= 50).collect();
    assert!(waited.is_sorted(), "{waited:?}");
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.reused, stats.waits.count), (50, 450, 500));
}

#[tokio::test]
async fn a_server_that_hangs_opens_its_breaker_and_then_nobody_waits() {
    let (address, counted) = server(Serves::Nothing).await;
    let pool = Arc::new(Pool::start(Tcp, PoolTerms::default(), Dice::seeded(1)));
    let service = pool.service("static");
    pool.add(service, EndpointTerms::local(&address, 1_000));
    let mut callers = JoinSet::new();
    for _ in 0..200 {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            let wish = Wish { service, deadline: Instant::now() + MINUTE, avoid: None };
            let mut lease = match pool.lease(wish).await {
                Ok(lease) => lease,
                Err(error) => return error.code(),
            };
            let silent = timeout(Duration::from_millis(200), echo(&mut lease)).await;
            assert!(silent.is_err(), "it hangs");
            lease.close(Answer::Failure);
            "hung"
        });
    }
    let ends = callers.join_all().await;
    let count = |end| ends.iter().filter(|other| **other == end).count();
    // Those who had a connection when it opened find out for themselves; all others are told.
    assert_eq!(count("hung") + count("circuit_open"), 200, "{ends:?}");
    assert!((5..=54).contains(&count("hung")), "{}", count("hung"));
    assert!(counted.most.load(Ordering::SeqCst) <= 54);
    // Refused in the first poll: there is nothing that it could wait for.
    let wish = Wish { service, deadline: Instant::now() + MINUTE, avoid: None };
    let refused = timeout(Duration::ZERO, pool.lease(wish)).await.expect("at once");
    assert!(matches!(refused, Err(LeaseError::CircuitOpen { .. })));
}

#[tokio::test]
async fn callers_that_are_cancelled_leave_no_descriptor() {
    let (address, counted) = server(Serves::Echo).await;
    assert_eq!(descriptors(&address), 1, "it listens");
    let pool = Arc::new(Pool::start(Tcp, PoolTerms::default(), Dice::seeded(1)));
    let service = pool.service("static");
    pool.add(service, EndpointTerms::local(&address, 1_000));
    let mut dice = Dice::seeded(7);
    for _ in 0..10 {
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let (pool, patience) = (Arc::clone(&pool), Duration::from_micros(dice.below(3_000)));
            callers.spawn(async move {
                let call = async {
                    let wish = Wish { service, deadline: Instant::now() + MINUTE, avoid: None };
                    let mut lease = pool.lease(wish).await.expect("nothing refuses");
                    echo(&mut lease).await.expect("it echoes");
                    lease.finish(Answer::Success);
                };
                timeout(patience, call).await.ok();
            });
        }
        callers.join_all().await;
    }
    assert!(descriptors(&address) > 1, "some stand idle");
    let stats = pool.stats();
    assert_eq!((stats.active, stats.connecting, stats.waiting), (0, 0, 0), "{stats:?}");
    assert_eq!(pool.shut_down(Instant::now() + MINUTE).await, 0);
    // The server has to read the ends of its streams yet.
    let settled = async {
        while counted.open.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(MINUTE, settled).await.expect("the server sees all of them closed");
    assert_eq!(descriptors(&address), 1, "it listens on");
}
