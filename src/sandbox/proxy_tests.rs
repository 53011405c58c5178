//! Against a server that repeats what it hears.

use std::io;

use super::*;

const HERE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0));

/// What the server has heard of a connection that is over: its bytes, and how it ended.
type Heard = mpsc::UnboundedReceiver<(Vec<u8>, io::Result<()>)>;

/// A server behind a proxy.
async fn echo_behind(script: &str) -> (Proxy, Heard) {
    let listener = TcpListener::bind(HERE).await.unwrap();
    let to = listener.local_addr().unwrap();
    let (over, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let over = over.clone();
            tokio::spawn(async move {
                let (mut bytes, mut buffer) = (Vec::new(), [0; 1000]);
                let end = loop {
                    match stream.read(&mut buffer).await {
                        Ok(0) => break Ok(()),
                        Ok(read) => {
                            bytes.extend_from_slice(&buffer[..read]);
                            let _ = stream.write_all(&buffer[..read]).await;
                        }
                        Err(error) => break Err(error),
                    }
                };
                over.send((bytes, end)).ok();
            });
        }
    });
    (Proxy::start(HERE, to, script.parse().unwrap()).await.unwrap(), heard)
}

/// Sends bytes and takes so many back.
async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(bytes).await?;
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back).await?;
    Ok(back)
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(Duration::from_millis(200), stream.read_u8()).await.is_err()
}

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn bytes_and_farewells_are_passed_on() {
    let (proxy, mut heard) = echo_behind("up text=never cut").await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let sent = bytes.clone();
    tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    from.read_to_end(&mut back).await.unwrap();
    assert!(back == bytes);
    let (passed, end) = heard.recv().await.unwrap();
    assert!(passed == bytes && end.is_ok());
    assert_eq!(proxy.struck(), [0]);
}

#[tokio::test]
async fn a_cut_resets_both_sides_at_its_place() {
    let (proxy, mut heard) =
        echo_behind("up connection=2 after=7 cut\ndown connection=3 text=lo nth=2 after=1 cut").await;
    let connect = || TcpStream::connect(proxy.address());
    assert_eq!(exchange(&mut connect().await.unwrap(), b"hello").await.unwrap(), b"hello");
    assert_eq!(heard.recv().await.unwrap().0, b"hello");

    let mut second = connect().await.unwrap();
    assert_eq!(exchange(&mut second, b"hello").await.unwrap(), b"hello");
    assert_eq!(kind(exchange(&mut second, b"again").await), io::ErrorKind::ConnectionReset);
    let (passed, end) = heard.recv().await.unwrap();
    assert_eq!((passed, kind(end)), (b"helloag".to_vec(), io::ErrorKind::ConnectionReset));

    let mut third = connect().await.unwrap();
    assert_eq!(exchange(&mut third, b"lo hel").await.unwrap(), b"lo hel");
    // The text is found over the edge of two messages; one byte behind it still passes.
    assert_eq!(kind(exchange(&mut third, b"lo you").await), io::ErrorKind::ConnectionReset);
    let (passed, end) = heard.recv().await.unwrap();
    assert_eq!((passed, kind(end)), (b"lo hello you".to_vec(), io::ErrorKind::ConnectionReset));
    assert_eq!(proxy.struck(), [1, 1]);
}

#[tokio::test]
async fn a_stall_ends_or_not() {
    let (proxy, _heard) = echo_behind("up connection=1 after=2 stall:300\ndown connection=2 stall").await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    first.write_all(b"hello").await.unwrap();
    let mut back = [0; 2];
    assert!(is_silent(&mut first).await);
    first.read_exact(&mut back).await.unwrap();
    assert_eq!((&back, exchange(&mut first, b"").await.unwrap().len()), (b"he", 0));
    let mut rest = [0; 3];
    first.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"llo");
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    second.write_all(b"hello").await.unwrap();
    assert!(is_silent(&mut second).await);
    assert_eq!(proxy.struck(), [1, 1]);
}

#[tokio::test]
async fn one_side_is_left_open_and_not_told() {
    let (proxy, mut heard) =
        echo_behind("up connection=1 text=bye leave-server\nup connection=2 text=bye leave-client:500").await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(kind(exchange(&mut first, b"goodbye").await), io::ErrorKind::ConnectionReset);
    let untold = tokio::time::timeout(Duration::from_millis(200), heard.recv()).await;
    assert!(untold.is_err(), "the server waits: {untold:?}");

    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    second.write_all(b"goodbye").await.unwrap();
    assert_eq!(kind(heard.recv().await.unwrap().1), io::ErrorKind::ConnectionReset);
    assert!(is_silent(&mut second).await);
    assert_eq!(kind(second.read_u8().await), io::ErrorKind::ConnectionReset, "told later");
}

#[tokio::test]
async fn connections_are_refused_for_a_while() {
    let (proxy, _heard) = echo_behind("up text=bye refuse:300").await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(kind(exchange(&mut first, b"bye").await), io::ErrorKind::ConnectionReset);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let mut refused = 0;
    let mut stream = loop {
        match TcpStream::connect(proxy.address()).await {
            Ok(stream) => break stream,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused),
        }
        refused += 1;
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(refused > 0);
    assert_eq!(exchange(&mut stream, b"hello").await.unwrap(), b"hello");
    proxy.cut();
    assert_eq!(kind(stream.read_u8().await), io::ErrorKind::ConnectionReset);
    proxy.refuse(Duration::from_mins(1));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(kind(TcpStream::connect(proxy.address()).await), io::ErrorKind::ConnectionRefused);
}

#[test]
fn wrong_lines_are_named() {
    for (line, part) in [
        ("left cut", "up or down"),
        ("up after=x cut", "number of bytes"),
        ("up", "not said"),
        ("up cut after=3", "behind the action"),
        ("down refuse", "no fault"),
    ] {
        let error = line.parse::<ProxyScript>().unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains(part), "{error}");
    }
}
