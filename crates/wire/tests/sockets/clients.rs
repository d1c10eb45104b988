//! Two implementations of WebSockets understand each other: ours, and tungstenite as client and as
//! server.

use crate::house::{House, patiently};
use assay_wire::{CloseCode, ConnectTerms, Connection, Token, Utf8Bytes, WireError, connect};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_tungstenite::{
    accept_async, client_async,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

const SIZES: [usize; 9] = [0, 1, 125, 126, 65_535, 65_536, 65_537, 300_000, 1_000_000];

async fn echoes(mut connection: Connection) {
    for size in SIZES {
        let message = Utf8Bytes::from("é".repeat(size / 2));
        let (reader, writer) = connection.halves();
        let (sent, arrived) = tokio::join!(writer.send(message.clone()), reader.next());
        sent.unwrap();
        assert_eq!(arrived.unwrap(), Some(message), "{size}");
    }
    connection.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(connection.next().await.unwrap(), None);
}

#[tokio::test]
async fn our_client_and_our_server_echo() {
    let house = House::open().await;
    let connection = connect(&house.url(), &ConnectTerms::default()).await.unwrap();
    assert!(connection.is_lasting());
    patiently(echoes(connection)).await;
    let brief = ConnectTerms { lasting: false, ..ConnectTerms::default() };
    assert!(!connect(&house.url(), &brief).await.unwrap().is_lasting());
}

#[tokio::test]
async fn our_client_understands_another_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                socket.send(message).await.unwrap();
                socket.send(Message::Ping("p".into())).await.unwrap();
            }
        }
    });
    let brief = ConnectTerms { lasting: false, ..ConnectTerms::default() };
    let connection = connect(&url, &brief).await.unwrap();
    assert!(!connection.is_lasting());
    patiently(echoes(connection)).await;
    patiently(server).await.unwrap();
}

#[tokio::test]
async fn our_server_understands_another_client() {
    let house = House::open().await;
    let stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let (mut socket, _) = client_async(house.url(), stream).await.unwrap();
    for size in SIZES {
        let message = Message::text("é".repeat(size / 2));
        socket.send(message.clone()).await.unwrap();
        assert_eq!(patiently(socket.next()).await.unwrap().unwrap(), message, "{size}");
    }
    for (text, data, is_final) in [
        ("one ", Data::Text, false),
        ("two ", Data::Continue, false),
        ("three", Data::Continue, true),
    ] {
        let frame = Frame::message(text, OpCode::Data(data), is_final);
        socket.send(Message::Frame(frame)).await.unwrap();
    }
    assert_eq!(patiently(socket.next()).await.unwrap().unwrap(), Message::text("one two three"));
    socket.send(Message::Ping("hello".into())).await.unwrap();
    assert_eq!(patiently(socket.next()).await.unwrap().unwrap(), Message::Pong("hello".into()));
    socket.close(None).await.unwrap();
    assert!(matches!(patiently(socket.next()).await, Some(Ok(Message::Close(None)))));
}

async fn refusal(url: &str, within: Duration) -> WireError {
    let token = Token::new("s3cret");
    let terms = ConnectTerms { within, token, ..ConnectTerms::default() };
    let error = patiently(connect(url, &terms)).await.unwrap_err();
    assert!(!format!("{error:?} {terms:?}").contains("s3cret"), "{error:?}");
    error
}

/// A server that answers every connection with the same bytes, or not at all.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/?token=s3cret", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(bytes).await.unwrap();
            let mut request = Vec::new();
            let _ = stream.read_to_end(&mut request).await;
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_lets_us_not_in_is_told_in_words() {
    let minute = Duration::from_mins(1);
    let refused = answering(b"HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\nbusy\x1b[31m").await;
    let refused = refusal(&refused, minute).await;
    assert_eq!(refused.to_string(), "the server refused with status 503: busy [31m");
    assert!(refused.hint().is_some());
    let other = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    assert!(matches!(refusal(&other, minute).await, WireError::Refused { status: 200, .. }));
    let liar = b"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-accept: x\r\n\r\n";
    let liar = answering(liar).await;
    assert!(matches!(refusal(&liar, minute).await, WireError::NoWebSocket { .. }));
    let garbage = answering(b"hello\r\n\r\n").await;
    assert!(matches!(refusal(&garbage, minute).await, WireError::Handshake { .. }));
    let mute = answering(b"").await;
    let late = refusal(&mute, Duration::from_millis(100)).await;
    assert_eq!(late.to_string(), "connecting took more than 0.1 s");
}

#[tokio::test]
async fn an_address_that_is_none_is_told_in_words() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = refusal(&format!("ws://{free}/"), Duration::from_secs(10)).await;
    assert_eq!(nobody.to_string(), format!("`{free}` cannot be reached"));
    assert_eq!(nobody.hint().unwrap(), "nobody listens there: start the server with `assay serve`");
    for bad in ["", "localhost:1", "http://localhost/", "ws://", "ws:///x", "ws://me:s3cret@x/"] {
        let error = connect(bad, &ConnectTerms::default()).await.unwrap_err();
        assert!(matches!(error, WireError::Url { .. }), "{bad}: {error}");
    }
}
