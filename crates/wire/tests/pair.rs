//! Two ends in one process: messages, halves, closing, time.

use assay_wire::{CloseCode, Connection, KeepAlive, Limits, Side, Utf8Bytes, WireError, pair};
use std::time::Duration;
use tokio::time::Instant;

fn text(text: &str) -> Utf8Bytes {
    Utf8Bytes::from(text.to_owned())
}

/// Two ends over memory, the first of them the client.
fn client_and_server(limits: Limits) -> (Connection, Connection) {
    let (one, other) = tokio::io::duplex(1 << 10);
    let client = Connection::new(Box::new(one), Side::Client, limits);
    (client, Connection::new(Box::new(other), Side::Server, limits))
}

#[tokio::test(start_paused = true)]
async fn messages_of_every_size_arrive_whole_and_in_order() {
    let sizes = [0, 1, 125, 126, 127, 4096, 16_384, 16_385, 65_535, 65_536, 300_000];
    for (one, other) in [client_and_server(Limits::new()), pair(Limits::local())] {
        let (mut reader, _writer) = one.split();
        let (_reader, mut writer) = other.split();
        let send = async {
            for size in sizes {
                writer.feed(text(&"é".repeat(size / 2 + 1))).await.unwrap();
            }
            writer.flush().await.unwrap();
        };
        let receive = async {
            for size in sizes {
                let message = reader.next().await.unwrap().unwrap();
                assert_eq!(message.as_str(), "é".repeat(size / 2 + 1));
            }
        };
        tokio::join!(send, receive);
    }
}

#[tokio::test(start_paused = true)]
async fn a_masked_message_arrives_as_it_was_sent() {
    let (mut client, mut server) = client_and_server(Limits::new());
    for size in [0, 1, 3, 7, 8, 9, 200] {
        let message = text(&"abcdefghi".repeat(size)[..size]);
        client.send(message.clone()).await.unwrap();
        assert_eq!(server.next().await.unwrap(), Some(message));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_came_together_are_taken_together() {
    let (one, mut other) = pair(Limits::local());
    let (mut reader, _writer) = one.split();
    let (_, mut writer) = {
        for n in 0..3 {
            other.send(text(&n.to_string())).await.unwrap();
        }
        other.split()
    };
    assert_eq!(reader.next().await.unwrap(), Some(text("0")));
    assert_eq!(reader.next_arrived().unwrap(), Some(text("1")));
    assert_eq!(reader.next_arrived().unwrap(), Some(text("2")));
    assert_eq!(reader.next_arrived().unwrap(), None);
    writer.send(text("3")).await.unwrap();
    assert_eq!(reader.next_arrived().unwrap(), None);
    assert_eq!(reader.next().await.unwrap(), Some(text("3")));
}

#[tokio::test(start_paused = true)]
async fn a_close_is_heard_and_answered() {
    let (mut one, mut other) = client_and_server(Limits::new());
    one.close(CloseCode::NORMAL, "Analysis complete").await.unwrap();
    assert!(matches!(one.send(text("x")).await, Err(WireError::Closed)));
    assert_eq!(other.next().await.unwrap(), None);
    let closed = other.closed().unwrap();
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (Some(CloseCode::NORMAL), "Analysis complete")
    );
    assert_eq!(one.next().await.unwrap(), None);
    assert_eq!(one.closed().unwrap().code, Some(CloseCode::NORMAL));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_a_close_is_left_after_two_seconds() {
    let (mut one, _other) = pair(Limits::local());
    let begun = Instant::now();
    one.close(CloseCode::AWAY, "").await.unwrap();
    assert_eq!(one.next().await.unwrap(), None);
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_already_hears_of_a_close_by_its_own_writer() {
    let (one, _other) = pair(Limits::local());
    let (mut reader, mut writer) = one.split();
    let begun = Instant::now();
    let close = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        writer.close(CloseCode::NORMAL, "").await.unwrap();
    };
    let (end, ()) = tokio::join!(reader.next(), close);
    assert_eq!(end.unwrap(), None);
    assert_eq!(begun.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_close_frame_is_a_loss() {
    let (mut one, other) = pair(Limits::local());
    drop(other);
    assert!(matches!(one.next().await, Err(WireError::Lost { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_then_given_up() {
    let (mut one, _other) = client_and_server(Limits::new());
    let begun = Instant::now();
    let end = one.next().await;
    assert!(matches!(end, Err(WireError::Silent { after }) if after == Duration::from_mins(1)));
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_never_given_up() {
    let keep_alive = Some(KeepAlive::new());
    let (mut one, mut other) = client_and_server(Limits { keep_alive, ..Limits::new() });
    let hour = tokio::time::sleep(Duration::from_hours(1));
    tokio::select! {
        end = one.next() => panic!("ended: {end:?}"),
        end = other.next() => panic!("ended: {end:?}"),
        () = hour => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (one, other) = pair(Limits::local());
    let (mut reader, mut writer) = one.split();
    let begun = Instant::now();
    let end = writer.send(text(&"x".repeat(1 << 20))).await;
    assert!(matches!(end, Err(WireError::Stalled { .. })), "{end:?}");
    assert_eq!(begun.elapsed().as_secs(), 10 + 7, "10 s, and 1 s for each 128 KiB that wait");
    assert!(matches!(reader.next().await, Err(WireError::Closed)));
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn feeding_waits_when_much_waits_and_drops_nothing_when_it_is_cancelled() {
    let limits = Limits { queued_max: 10_000, ..Limits::local() };
    let (one, mut other) = pair(limits);
    let (_reader, mut writer) = one.split();
    let big = text(&"x".repeat(200_000));
    writer.feed(big.clone()).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_secs(1), writer.feed(text("never"))).await;
    assert!(waits.is_err(), "it must wait for the peer");
    let receive = async {
        assert_eq!(other.next().await.unwrap(), Some(big));
        assert_eq!(other.next().await.unwrap(), Some(text("then")));
    };
    let send = async { writer.send(text("then")).await.unwrap() };
    tokio::join!(receive, send);
}

#[tokio::test(start_paused = true)]
async fn two_tasks_may_use_the_halves_at_once() {
    let (one, other) = client_and_server(Limits::new());
    let echo = tokio::spawn(async move {
        let (mut reader, mut writer) = other.split();
        while let Some(message) = reader.next().await.unwrap() {
            writer.send(message).await.unwrap();
        }
    });
    let (mut reader, mut writer) = one.split();
    let send = tokio::spawn(async move {
        for n in 0..1000 {
            writer.send(text(&format!("{n} {}", "x".repeat(n)))).await.unwrap();
        }
        writer.close(CloseCode::NORMAL, "").await.unwrap();
    });
    for n in 0..1000 {
        let message = reader.next().await.unwrap().unwrap();
        assert!(message.starts_with(&format!("{n} ")), "{n}: {message}");
    }
    assert_eq!(reader.next().await.unwrap(), None);
    send.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_pings_and_does_not_read_costs_no_memory() {
    use tokio::io::AsyncWriteExt;

    let (ours, mut theirs) = tokio::io::duplex(1 << 10);
    let limits = Limits { queued_max: 10_000, ..Limits::new() };
    let connection = Connection::new(Box::new(ours), Side::Server, limits);
    let (mut reader, writer) = connection.split();
    let flood = async {
        for _ in 0..100_000 {
            theirs.write_all(&[0x89, 0x84, 0, 0, 0, 0, b'p', b'i', b'n', b'g']).await.unwrap();
        }
        // A text, to see that all before it was read.
        theirs.write_all(&[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
    };
    let (message, ()) = tokio::join!(reader.next(), flood);
    assert_eq!(message.unwrap(), Some(text("")));
    assert!(writer.waiting() < 10_000 + 200, "{} bytes wait", writer.waiting());
}

#[tokio::test(start_paused = true)]
async fn who_flushes_again_and_again_does_not_wait_longer() {
    let (one, other) = pair(Limits::local());
    let (_reader, mut writer) = one.split();
    assert!(writer.try_feed(text(&"x".repeat(200_000))).unwrap());
    assert!(!writer.try_feed(text("no room")).unwrap());
    let begun = Instant::now();
    let end = loop {
        if let Ok(end) = tokio::time::timeout(Duration::from_secs(1), writer.flush()).await {
            break end;
        }
    };
    assert!(matches!(end, Err(WireError::Stalled { .. })), "{end:?}");
    assert_eq!(begun.elapsed().as_secs(), 11);
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_who_keeps_taking_is_kept() {
    let (one, other) = pair(Limits::local());
    let (_one, mut writer) = one.split();
    let (mut reader, _other) = other.split();
    let begun = Instant::now();
    let send = async {
        for _ in 0..100 {
            writer.send(text(&"x".repeat(100_000))).await.unwrap();
        }
    };
    let receive = async {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            reader.next().await.unwrap().unwrap();
        }
    };
    tokio::join!(send, receive);
    assert_eq!(begun.elapsed().as_secs(), 800);
}
