//! Where connections come from: TCP, a Unix socket, and the control socket, which only its owner may use.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Something that accepts connections.
pub trait Door: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and the address of its other end if it has one. May be dropped while it waits, without losing one.
    ///
    /// # Errors
    /// As the system's `accept` fails.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<IpAddr>)>> + Send;
}

impl Door for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        // Answers are written whole: waiting for more would only delay them.
        stream.set_nodelay(true)?;
        Ok((stream, Some(peer.ip())))
    }
}

impl Door for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<IpAddr>)> {
        Self::accept(self).await.map(|(stream, _)| (stream, None))
    }
}

/// The control socket: whoever may connect may do everything, so that only the daemon's own user and root may.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    owner: u32,
    path: PathBuf,
}

impl ControlSocket {
    /// Binds it at `path`, mode 0600. A socket that stands there already is taken away if nobody answers on it: it
    /// belonged to a daemon that is no more.
    ///
    /// # Errors
    /// Another daemon answers there, whose database is in the same folder; something else than a socket stands there, or
    /// the system refuses. The text names the path.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("control socket {}: {error}", path.display()));
        let taken = |why: &str| named(io::Error::new(io::ErrorKind::AlreadyExists, why));
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => {
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(taken("another daemon answers there; give each database a folder of its own"));
                }
                std::fs::remove_file(path).map_err(named)?;
            }
            Ok(_) => return Err(taken("something else stands there; move it away")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(error)),
        }
        let listener = UnixListener::bind(path).map_err(named)?;
        // Between these two lines others could connect; the check of their user id holds them off.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(named)?;
        let owner = std::fs::symlink_metadata(path).map_err(named)?.uid();
        Ok(Self { listener, owner, path: path.to_owned() })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A file that is gone already, or that cannot be removed, does no harm: the next start takes it away.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Door for ControlSocket {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<IpAddr>)> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?.uid();
        if peer == self.owner || peer == 0 {
            return Ok((stream, None));
        }
        let text = format!("user {peer} may not use the control socket");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_control_socket_is_for_its_owner_and_replaces_a_stale_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let stale = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(stale);
        let socket = ControlSocket::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (client, served) = tokio::join!(UnixStream::connect(&path), Door::accept(&socket));
        assert!(client.is_ok() && served.is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_daemon_that_answers_keeps_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let socket = ControlSocket::bind(&path).unwrap();
        let error = ControlSocket::bind(&path).unwrap_err();
        assert!(error.to_string().contains("control.sock: another daemon answers"), "{error}");
        // Past the one that asked whether anybody is there.
        let (client, served) = tokio::join!(UnixStream::connect(&path), Door::accept(&socket));
        assert!(client.is_ok() && served.is_ok());
    }

    #[tokio::test]
    async fn another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let mut socket = ControlSocket::bind(&path).unwrap();
        if socket.owner == 0 {
            println!("skipped: root may always");
            return;
        }
        socket.owner += 1;
        let (_client, served) = tokio::join!(UnixStream::connect(&path), Door::accept(&socket));
        assert_eq!(served.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = ControlSocket::bind(&path).unwrap_err();
        assert!(error.to_string().contains("control.sock"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
