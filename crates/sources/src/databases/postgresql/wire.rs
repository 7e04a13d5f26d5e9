//! The byte stream to a server, which two use in turn: tokio-postgres, which logs in and runs queries, and [`super::copy`],
//! which reads rows in bulk without splitting them into messages first.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

type Stream = Box<dyn TlsStream + Send + Unpin>;

/// A shared byte stream.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Stream>>);

impl Wire {
    /// A stream without encryption.
    pub(super) fn plain(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Wire {
        Wire(Arc::new(Mutex::new(Box::new(Plain(stream)))))
    }

    /// Ends the session, so that the server does not log a lost client. Does not wait.
    pub(super) fn say_goodbye(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.with(|mut stream| {
            let sent = stream.as_mut().poll_write(&mut cx, b"X\0\0\0\x04");
            if matches!(sent, Poll::Ready(Ok(_))) {
                let _ = stream.as_mut().poll_flush(&mut cx);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(Pin<&mut Stream>) -> T) -> T {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(Pin::new(&mut *stream))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

impl TlsStream for Wire {
    fn channel_binding(&self) -> ChannelBinding {
        self.with(|stream| stream.channel_binding())
    }
}

/// A stream without encryption.
struct Plain<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Plain<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Plain<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Plain<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Encrypts a stream; the encrypted one is also left in `made`.
pub(super) struct TlsUpgrade {
    pub(super) config: rustls::ClientConfig,
    pub(super) host: String,
    pub(super) made: Arc<Mutex<Option<Wire>>>,
}

impl TlsConnect<Wire> for TlsUpgrade {
    type Stream = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn connect(self, plain: Wire) -> Self::Future {
        Box::pin(async move {
            let mut maker = MakeRustlsConnect::new(self.config);
            let Ok(rustls) = MakeTlsConnect::<Wire>::make_tls_connect(&mut maker, &self.host);
            let stream = rustls.connect(plain).await?;
            let wire = Wire(Arc::new(Mutex::new(Box::new(stream))));
            *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(wire.clone());
            Ok(wire)
        })
    }
}
