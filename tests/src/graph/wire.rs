//! What becomes of a call when the way to Meta fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use numib::graph::Graph;
use numib::graph::error::{Cause, Failure, GraphError, SendError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::stand_in::{By, NOW, Note, Shop, StandIn, graph_at, ok, status, token};

async fn send(graph: &Graph) -> SendError {
    let (shop, note) = (Shop::new(), Note::new());
    graph.send_text(NOW, shop.asset(By::Messenger), note.text()).await.unwrap_err()
}

#[track_caller]
fn unknown(error: SendError) -> GraphError {
    match error {
        SendError::Unknown(error) => error,
        SendError::NotSent(error) => panic!("perhaps it was sent: {error:?}"),
    }
}

#[track_caller]
fn not_sent(error: SendError) -> GraphError {
    match error {
        SendError::NotSent(error) => error,
        SendError::Unknown(error) => panic!("it was not sent: {error:?}"),
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads a request until its end, which is the end of the JSON.
async fn read_request(socket: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let read = socket.read_buf(&mut request).await.unwrap();
        assert!(read > 0, "the request ended early");
    }
}

/// Takes one request, answers with these bytes, and then hangs up, or waits for ever.
async fn server(answer: &'static [u8], hangs_up: bool) -> (Graph, Arc<Notify>) {
    let (listener, address) = listen().await;
    let answered = Arc::new(Notify::new());
    let told = Arc::clone(&answered);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(answer).await.unwrap();
        told.notify_one();
        if !hangs_up {
            std::future::pending::<()>().await;
        }
    });
    (graph_at("http", address), answered)
}

/// Sends, and lets the time pass as soon as the server has answered as far as it ever will.
async fn send_patiently(graph: &Graph, answered: &Notify) -> SendError {
    let time_passes = async {
        answered.notified().await;
        // What was written is still on its way to the client.
        tokio::time::sleep(Duration::from_millis(100)).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(8)).await;
    };
    tokio::join!(send(graph), time_passes).0
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent() {
    let (listener, address) = listen().await;
    drop(listener);
    let error = not_sent(send(&graph_at("http", address)).await);
    assert_eq!(error.cause, Cause::NoAnswer);
    assert!(matches!(error.failure, Failure::RetryLater(_)));
}

/// The server takes the connection and says nothing to the greeting of TLS.
#[tokio::test]
async fn a_connection_that_takes_longer_than_a_second_is_given_up() {
    let (listener, address) = listen().await;
    let began = tokio::time::Instant::now();
    let error = not_sent(send(&graph_at("https", address)).await);
    assert_eq!(error.cause, Cause::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    drop(listener);
}

#[tokio::test]
async fn a_connection_that_is_cut_behind_the_body_leaves_it_open() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"message_id\":\"m_1\"",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"mes\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        let (graph, _) = server(answer, true).await;
        let error = unknown(send(&graph).await);
        assert_eq!(error.cause, Cause::NoAnswer, "{}", answer.escape_ascii());
        assert!(matches!(error.failure, Failure::RetryLater(_)));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_it_open() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"message_id\":\"m_1\"",
    ] {
        let (graph, answered) = server(answer, false).await;
        let error = unknown(send_patiently(&graph, &answered).await);
        assert_eq!(error.cause, Cause::TimedOut, "{}", answer.escape_ascii());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn nobody_follows_a_redirect() {
    let elsewhere = StandIn::telling(r#"{"message_id":"m_1"}"#).await;
    let url = elsewhere.graph.instagram_dialog("x", "y").unwrap();
    for code in [301, 302, 303, 307, 308] {
        let redirect =
            Response::builder().status(code).header("location", &url).body(Body::empty()).unwrap();
        let meta = StandIn::answering([redirect]).await;
        assert_eq!(unknown(send(&meta.graph).await).cause, Cause::Redirect, "{code}");
        assert_eq!(meta.seen().len(), 1);
    }
    assert!(elsewhere.seen().is_empty());
}

/// A body of which nobody says beforehand how long it is.
fn endless(json: String) -> Response {
    let pieces = json.into_bytes();
    let pieces: Vec<_> = pieces.chunks(1000).map(<[u8]>::to_vec).collect();
    let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
    Response::new(Body::from_stream(futures_util::stream::iter(pieces)))
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit() {
    let long = |len: usize| format!(r#"{{"message_id":"m_1","x":"{}"}}"#, "x".repeat(len));
    let limit = 64 * 1024;
    let most = limit - long(0).len();
    for answer in [ok(&long(most)), endless(long(most))] {
        let meta = StandIn::answering([answer]).await;
        let (shop, note) = (Shop::new(), Note::new());
        let sent = meta.graph.send_text(NOW, shop.asset(By::Messenger), note.text()).await;
        assert_eq!(sent.unwrap().value.mid.expose(), "m_1");
    }
    for answer in [ok(&long(most + 1)), endless(long(most + 1)), endless(long(10 * limit))] {
        let meta = StandIn::answering([answer]).await;
        assert_eq!(unknown(send(&meta.graph).await).cause, Cause::TooLong);
    }
}

#[tokio::test]
async fn a_list_may_be_longer() {
    let page = format!(r#"{{"id":"17","name":"{}","access_token":"t"}}"#, "x".repeat(5000));
    let list = |pages: usize| format!(r#"{{"data":[{}]}}"#, vec![&*page; pages].join(","));
    let meta = StandIn::answering([ok(&list(100)), ok(&list(300))]).await;
    let pages = meta.graph.pages(NOW, &token(), None).await.unwrap().value;
    assert_eq!(pages.pages.len(), 100);
    let error = meta.graph.pages(NOW, &token(), None).await.unwrap_err();
    assert_eq!(error.cause, Cause::TooLong);
}

/// A connection that rested may be dead, and then nobody knows what was received.
#[tokio::test]
async fn each_send_has_a_connection_of_its_own() {
    let sent = || ok(r#"{"message_id":"m_1","success":true}"#);
    let meta = StandIn::answering([sent(), sent(), sent(), sent()]).await;
    let (shop, note) = (Shop::new(), Note::new());
    let asset = shop.asset(By::Messenger);
    for _ in 0..2 {
        meta.graph.subscribe(NOW, asset).await.unwrap();
    }
    for _ in 0..2 {
        meta.graph.send_text(NOW, asset, note.text()).await.unwrap();
    }
    let [one, two, three, four] = meta.seen().try_into().unwrap();
    assert_eq!(one.from, two.from, "other calls share one");
    assert_ne!(two.from, three.from);
    assert_ne!(three.from, four.from);
}

#[tokio::test]
async fn what_fails_is_tried_once() {
    let meta = StandIn::answering([status(503, ""), ok(r#"{"message_id":"m_1"}"#)]).await;
    unknown(send(&meta.graph).await);
    assert_eq!(meta.seen().len(), 1);
}
