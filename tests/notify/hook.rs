//! A server that takes posts, and answers by script.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it does with a post, which it has read whole.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with a status, headers and a body.
    Answer(u16, &'static str, String),
    /// Says nothing, and keeps the connection open.
    Hang,
    /// Ends the connection without an answer.
    Die,
}

pub fn status(status: u16) -> Reply {
    Reply::Answer(status, "", String::new())
}

/// A post as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub path: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Post {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The server, on threads that end with the test program.
pub struct Hook {
    pub address: String,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Hook {
    /// Answers as the script says; after its end with 200.
    pub fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let posts = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::clone(&posts);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                std::thread::spawn(move || serve(connection.unwrap(), &seen, &script));
            }
        });
        Self { address, posts }
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

fn serve(connection: TcpStream, posts: &Mutex<Vec<Post>>, script: &Mutex<VecDeque<Reply>>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    while let Some(post) = read(&mut reader) {
        posts.lock().unwrap().push(post);
        let reply = script.lock().unwrap().pop_front();
        match reply.unwrap_or_else(|| Reply::Answer(200, "", r#"{"ok":true}"#.to_owned())) {
            Reply::Answer(status, headers, body) => {
                let head = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\n\r\n", body.len());
                if (&connection).write_all(format!("{head}{body}").as_bytes()).is_err() {
                    return;
                }
            }
            Reply::Hang => {
                // Until the other side gives up.
                let _ = reader.read(&mut [0]);
            }
            Reply::Die => return,
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Post> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let path = line()?.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Post { path, headers, body: String::from_utf8(body).ok()? })
}
