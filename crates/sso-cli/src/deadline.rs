//! Connections on which nothing takes for ever: a request has to arrive in time, and its answer to be taken.
//!
//! actix-web has a limit for the head of a connection's first request, and for silence between two. A body that
//! trickles, the head of a later request that does, and a client that takes its answer by the byte would hold a
//! connection, its memory and its place for as long as they like.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// How long a request may take from its first byte to the first one of its answer, and so long the answer to be taken.
/// The longest form fits through a slow line, and what the server itself waits for is much shorter.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A connection that can be ended at once, with what was written and not yet taken.
pub(crate) trait Reset {
    fn reset(&self);
}

impl Reset for TcpStream {
    /// Otherwise the kernel would go on offering the answer, for minutes after the socket is closed.
    fn reset(&self) {
        if let Err(error) = self.set_zero_linger() {
            tracing::debug!(%error, "a connection cannot be reset");
        }
    }
}

/// A connection that ends where its client is too slow.
pub(crate) struct Timed<IO> {
    io: IO,
    limit: Duration,
    /// Runs while a request has begun and is not answered.
    request: Deadline,
    /// Runs while an answer is not taken.
    answer: Deadline,
}

impl<IO> Timed<IO> {
    pub(crate) fn new(io: IO, limit: Duration) -> Self {
        Self { io, limit, request: Deadline::default(), answer: Deadline::default() }
    }
}

/// An instant that may have been set, and has to be asked for whether it has come.
#[derive(Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    fn begin(&mut self, limit: Duration) {
        self.0.get_or_insert_with(|| Box::pin(sleep(limit)));
    }

    fn end(&mut self) {
        self.0 = None;
    }

    /// An error once it has come; until then the task is woken for it.
    fn check(&mut self, io: &impl Reset, context: &mut Context<'_>) -> io::Result<()> {
        let has_come = self.0.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready());
        if !has_come {
            return Ok(());
        }
        io.reset();
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl<IO: AsyncRead + Reset + Unpin> AsyncRead for Timed<IO> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (this, before) = (self.get_mut(), buffer.filled().len());
        this.request.check(&this.io, context)?;
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.request.begin(this.limit);
        }
        read
    }
}

impl<IO: AsyncWrite + Reset + Unpin> AsyncWrite for Timed<IO> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        match &written {
            // `100 Continue` is no answer: the body it asks for has to come in the same time.
            Poll::Ready(_) if bytes.starts_with(b"HTTP/1.1 100") => {}
            Poll::Ready(_) => this.request.end(),
            Poll::Pending => this.answer.begin(this.limit),
        }
        this.answer.check(&this.io, context)?;
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(context);
        if flushed.is_ready() {
            this.answer.end();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        net::TcpListener,
    };

    use super::*;

    impl Reset for DuplexStream {
        fn reset(&self) {}
    }

    /// A client, and a server's connection to it that holds few bytes.
    fn connection(limit: Duration) -> (DuplexStream, Timed<DuplexStream>) {
        let (client, server) = duplex(64);
        (client, Timed::new(server, limit))
    }

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_request_that_trickles_ends_the_connection() {
        let (mut client, mut server) = connection(SHORT);
        tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        });
        let mut byte = [0];
        let error = loop {
            match server.read(&mut byte).await {
                Ok(read) => assert_eq!(read, 1),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_time_runs_from_a_requests_first_byte_to_its_answer_and_not_in_silence() {
        let (mut client, mut server) = connection(LONG);
        for _ in 0..2 {
            let silence = tokio::time::timeout(SHORT, server.read_u8()).await;
            assert!(silence.is_err() && server.request.0.is_none());
            client.write_all(b"request").await.unwrap();
            server.read_exact(&mut [0; 7]).await.unwrap();
            assert!(server.request.0.is_some());
            server.write_all(b"answer").await.unwrap();
            server.flush().await.unwrap();
            assert!(server.request.0.is_none() && server.answer.0.is_none());
            client.read_exact(&mut [0; 6]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_body_that_was_asked_for_and_does_not_come_ends_the_connection() {
        let (mut client, mut server) = connection(SHORT);
        client.write_all(b"Expect: 100-continue").await.unwrap();
        server.read_exact(&mut [0; 20]).await.unwrap();
        server.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        server.flush().await.unwrap();
        let error = tokio::time::timeout(LONG, server.read_u8()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_ends_the_connection() {
        let (mut client, mut server) = connection(SHORT);
        tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        });
        let error = server.write_all(&[b'x'; 100_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// How the client's side ends, once the server has closed a connection on which so much was written, nothing read.
    async fn end_of(answer: usize) -> io::Result<usize> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut server = Timed::new(listener.accept().await.unwrap().0, SHORT);
        let written = server.write_all(&vec![b'x'; answer]).await;
        assert_eq!(written.is_err(), answer > 1_000_000);
        drop(server);
        client.read_to_end(&mut Vec::new()).await
    }

    #[tokio::test]
    async fn what_is_not_taken_in_time_does_not_stay_in_the_kernel() {
        assert_eq!(end_of(100_000_000).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(end_of(1_000).await.unwrap(), 1_000, "the twin: what was written in time arrives");
    }

    #[tokio::test]
    async fn an_answer_that_is_taken_in_pieces_arrives() {
        let (mut client, mut server) = connection(LONG);
        let reader = tokio::spawn(async move {
            let mut taken = Vec::new();
            client.read_to_end(&mut taken).await.unwrap();
            taken.len()
        });
        for _ in 0..3 {
            server.write_all(&[b'x'; 1_000]).await.unwrap();
            server.flush().await.unwrap();
            assert!(server.answer.0.is_none());
        }
        drop(server);
        assert_eq!(reader.await.unwrap(), 3_000);
    }
}
