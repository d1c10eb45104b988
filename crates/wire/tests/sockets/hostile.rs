//! What peers send that they may not: each is told why by its code, and nobody else notices.

use crate::house::{House, announced, handshake, masked};
use assay_wire::{Limits, ListenTerms};
use std::time::Duration;

/// Sends bytes after the handshake and expects the connection to be closed by that code.
async fn check(what: &str, bytes: &[u8], code: u16) {
    let house = House::open().await;
    let mut raw = house.raw().await;
    raw.say(bytes).await;
    assert_eq!(raw.close_code().await, Some(code), "{what}");
    house.is_well().await;
}

#[tokio::test]
async fn whatever_breaks_the_protocol_is_told_by_its_code() {
    check("a frame without a mask", &[0x81, 0x01, b'x'], 1002).await;
    check("a binary frame", &masked(0x82, b"x"), 1003).await;
    check("text that is not UTF-8", &masked(0x81, &[0xff, 0xfe]), 1007).await;
    check("text that ends within a character", &masked(0x81, "é".as_bytes().split_at(1).0), 1007)
        .await;
    check("a bit of an extension", &masked(0xc1, b"x"), 1002).await;
    check("an unknown kind", &masked(0x83, b"x"), 1002).await;
    check("a continuation of nothing", &masked(0x80, b"x"), 1002).await;
    check("a ping in parts", &masked(0x09, b"x"), 1002).await;
    check("a ping above 125 bytes", &masked(0x89, &[0; 126]), 1002).await;
    check("half a close code", &masked(0x88, &[3]), 1002).await;
    check("a close code that is kept", &masked(0x88, &1006_u16.to_be_bytes()), 1002).await;
    check("a message of 2 GiB", &announced(0x81, 2 << 30), 1009).await;
    check("a message of 2^64 bytes", &announced(0x81, u64::MAX), 1009).await;
    let two = [masked(0x01, b"x"), masked(0x81, b"y")].concat();
    check("a message within a message", &two, 1002).await;
    check("garbage", &[0x55; 64], 1002).await;
}

#[tokio::test]
async fn a_message_that_grows_too_large_in_parts_is_refused() {
    let limits = Limits { message_max: 1000, ..Limits::new() };
    let house = House::with(limits, ListenTerms::default()).await;
    let mut raw = house.raw().await;
    let part = [b'x'; 100];
    raw.say(&masked(0x01, &part)).await;
    for _ in 0..9 {
        raw.say(&masked(0x00, &part)).await;
    }
    raw.say(&masked(0x00, b"y")).await;
    let (first, words) = raw.frame().await.unwrap();
    assert_eq!(first, 0x81);
    let words = String::from_utf8(words).unwrap();
    assert_eq!(words, "error: the peer sent a message of 1001 bytes, the limit is 1000");
    assert_eq!(raw.close_code().await, Some(1009));
}

#[tokio::test]
async fn who_sends_on_after_a_refusal_still_hears_why() {
    let house = House::open().await;
    let mut raw = house.raw().await;
    raw.say(&announced(0x81, 3 << 20)).await;
    for _ in 0..300 {
        raw.say(&[b'x'; 10_000]).await;
    }
    assert_eq!(raw.close_code().await, Some(1009));
}

#[tokio::test]
async fn half_a_frame_and_a_lost_client_disturb_nobody() {
    let house = House::open().await;
    for bytes in [&[][..], &[0x81], &[0x81, 0x85, 1, 2], &masked(0x81, b"hello")[..8]] {
        let mut raw = house.raw().await;
        raw.say(bytes).await;
        drop(raw);
    }
    house.is_well().await;
}

#[tokio::test]
async fn a_frame_may_come_byte_by_byte_and_in_parts_with_a_ping_between() {
    let house = House::open().await;
    let mut raw = house.raw().await;
    let frames = [masked(0x01, b"h\xc3"), masked(0x89, b"p"), masked(0x80, b"\xa9!")].concat();
    for byte in frames {
        raw.say(&[byte]).await;
    }
    assert_eq!(raw.frame().await, Some((0x8a, b"p".to_vec())));
    assert_eq!(raw.frame().await, Some((0x81, "hé!".as_bytes().to_vec())));
}

#[tokio::test]
async fn every_ping_of_a_flood_is_answered() {
    let house = House::open().await;
    let mut raw = house.raw().await;
    let flood: Vec<u8> = (0..2000_u16).flat_map(|n| masked(0x89, &n.to_be_bytes())).collect();
    raw.say(&flood).await;
    for n in 0..2000_u16 {
        assert_eq!(raw.frame().await, Some((0x8a, n.to_be_bytes().to_vec())));
    }
    house.is_well().await;
}

/// How a client fares that says something instead of a request.
async fn door(bytes: &[u8]) -> String {
    let terms =
        ListenTerms { handshake_within: Duration::from_millis(200), ..ListenTerms::default() };
    let house = House::with(Limits::new(), terms).await;
    let mut raw = house.bare().await;
    raw.say(bytes).await;
    let rest = raw.rest().await;
    house.is_well().await;
    rest
}

#[tokio::test]
async fn who_does_not_get_through_the_door_is_left() {
    assert_eq!(door(b"").await, "", "who says nothing");
    assert_eq!(door(b"GET / HTTP/1.1\r\nHost: x\r\nA").await, "", "who stops midway");
    let garbage = door(b"\x16\x03\x01\x02\x00 hello\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
    let fat = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(40_000));
    let fat = door(fat.as_bytes()).await;
    assert!(fat.starts_with("HTTP/1.1 431 "), "{fat}");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: x\r\n".repeat(200));
    let many = door(many.as_bytes()).await;
    assert!(many.starts_with("HTTP/1.1 431 "), "{many}");
}

#[tokio::test]
async fn who_says_his_head_byte_by_byte_is_left() {
    let terms =
        ListenTerms { handshake_within: Duration::from_millis(200), ..ListenTerms::default() };
    let house = House::with(Limits::new(), terms).await;
    let mut raw = house.bare().await;
    let head = handshake(&format!("A: {}\r\n", "x".repeat(1000)));
    let mut sent = 0;
    for byte in &head {
        raw.say(&[*byte]).await;
        sent += 1;
        if house.notes().iter().any(|note| note.contains("HttpFailed")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(sent < head.len(), "he was let in");
    house.is_well().await;
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused_in_words() {
    let house = House::open().await;
    let whole = String::from_utf8(handshake("")).unwrap();
    for (from, to, status) in [
        ("GET", "POST", "400"),
        ("HTTP/1.1", "HTTP/1.0", "400"),
        ("Connection: Upgrade", "Connection: close", "400"),
        ("Version: 13", "Version: 8", "426"),
        ("Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: abc", "400"),
        ("\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n", "403"),
    ] {
        let mut raw = house.bare().await;
        raw.say(whole.replace(from, to).as_bytes()).await;
        let answer = raw.head().await;
        assert!(answer.contains(&format!(" {status} ")), "{to}: {answer}");
    }
    let mut raw = house.bare().await;
    raw.say(&handshake("Origin: http://good.example\r\n")).await;
    assert!(raw.head().await.contains(" 101 "));
}
