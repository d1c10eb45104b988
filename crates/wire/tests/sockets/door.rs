//! The door: limits, stopping, panics.

use crate::house::{House, handshake, patiently};
use assay_wire::{ConnectTerms, Limits, ListenTerms, WireError, connect};
use std::time::Duration;

#[tokio::test]
async fn one_too_many_is_sent_away_and_gets_in_when_another_has_left() {
    let terms = ListenTerms { connections_max: 2, ..ListenTerms::default() };
    let house = House::with(Limits::new(), terms).await;
    let (one, _two) = (house.raw().await, house.raw().await);
    let refused = connect(&house.url(), &ConnectTerms::default()).await.unwrap_err();
    assert!(
        matches!(refused, WireError::Refused { status: 503, .. }),
        "{refused}: {:?}",
        house.notes()
    );
    house.noted("TooMany").await;
    drop(one);
    let let_in = async {
        while connect(&house.url(), &ConnectTerms::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    patiently(let_in).await;
}

#[tokio::test]
async fn a_panic_in_an_answer_ends_one_connection_and_is_noted() {
    let house = House::open().await;
    let mut raw = house.bare().await;
    raw.say(b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(raw.rest().await, "");
    house.noted("Panicked").await;
    house.is_well().await;
}

#[tokio::test]
async fn what_has_begun_is_answered_when_the_door_closes() {
    let house = House::open().await;
    let mut raw = house.bare().await;
    raw.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut idle = house.bare().await;
    idle.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(idle.head().await.starts_with("HTTP/1.1 401 "));
    let address = house.address;
    house.stop().await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("at last"), "{answer}");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "it still listens");
}

#[tokio::test]
async fn a_websocket_stays_when_the_door_closes() {
    let house = House::open().await;
    let mut connection = connect(&house.url(), &ConnectTerms::default()).await.unwrap();
    house.stop().await;
    connection.send("still there".into()).await.unwrap();
    assert_eq!(connection.next().await.unwrap().as_deref(), Some("still there"));
}

#[tokio::test]
async fn the_first_message_may_come_with_the_handshake() {
    let house = House::open().await;
    let mut raw = house.bare().await;
    let together = [handshake(""), crate::house::masked(0x81, b"early")].concat();
    raw.say(&together).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(raw.frame().await, Some((0x81, b"early".to_vec())));
}

#[tokio::test]
async fn who_is_no_websocket_is_answered_by_http() {
    let house = House::open().await;
    let mut raw = house.bare().await;
    raw.say(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.ends_with("who are you?\n"), "{answer}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_in_words() {
    let house = House::open().await;
    let taken = assay_wire::Listener::bind(house.address, ListenTerms::default()).await;
    let error = taken.unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` cannot be listened on", house.address));
    assert_eq!(error.hint().unwrap(), "stop who has it, or choose another port");
}
