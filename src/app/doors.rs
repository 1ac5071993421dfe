//! The listeners: which there are, what each of them serves, and where the control socket is.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::{House, StartError, VERSION, control, supervise};
use crate::config::{Environment, Settings};
use crate::publish::serve::door::ControlSocket;
use crate::publish::serve::{self, State, listen, routes};

/// Where the control socket may be, the likeliest first: in the service's runtime folder, else beside the
/// database.
#[must_use]
pub fn control_sockets(database: Option<&Path>, config: &Path, environment: &Environment) -> Vec<PathBuf> {
    let name = "control.sock";
    let given = environment.variables.get("RUNTIME_DIRECTORY").map(PathBuf::from);
    let packaged = config.starts_with("/etc/feedmill").then(|| PathBuf::from("/run/feedmill"));
    // A database that is named without a folder is in this one.
    let here = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() };
    let beside = database.and_then(Path::parent).map(here);
    given.or(packaged).into_iter().chain(beside).map(|folder| folder.join(name)).collect()
}

/// Connections that may wait to be accepted; the system may allow less.
const BACKLOG: i32 = 4096;

/// The sockets, with the routes that each gets.
pub(super) struct Doors {
    public: Vec<StdListener>,
    private: Option<StdListener>,
}

/// Binds what the settings name, unless systemd has handed over sockets.
pub(super) fn bind(settings: &Settings, given: Vec<(String, StdListener)>) -> Result<Doors, StartError> {
    let listen = |address: &SocketAddr| {
        let bound = StdListener::bind(address).and_then(|listener| {
            // The standard library lets 128 wait, and whoever comes next tries again after a second.
            rustix::net::listen(&listener, BACKLOG)?;
            listener.set_nonblocking(true).map(|()| listener)
        });
        bound.map_err(|cause| StartError::Bind { address: *address, cause })
    };
    let (private, public): (Vec<_>, Vec<_>) = given.into_iter().partition(|(name, _)| name.contains("private"));
    let mut public: Vec<StdListener> = public.into_iter().map(|(_, listener)| listener).collect();
    if !public.is_empty() {
        let given: Vec<String> = public.iter().filter_map(|l| Some(l.local_addr().ok()?.to_string())).collect();
        tracing::info!(listen = given.join(" "), "the sockets come from systemd; [server] listen is not used");
    }
    if public.is_empty() {
        public = settings.server.listen.iter().map(listen).collect::<Result<_, _>>()?;
    }
    let private = match private.into_iter().next() {
        Some((_, listener)) => Some(listener),
        None => settings.server.private_listen.as_ref().map(listen).transpose()?,
    };
    Ok(Doors { public, private })
}

impl House {
    /// Starts to serve.
    pub(super) fn open(
        self: &Arc<Self>,
        doors: Doors,
        control: Option<PathBuf>,
    ) -> Result<Vec<SocketAddr>, StartError> {
        let system = |e: std::io::Error| StartError::System(e.to_string());
        let state = State::new(serve::Parts {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            live: self.live.clone(),
            control: Arc::new(control::Operator(Arc::clone(self))),
            metrics: Arc::clone(&self.metrics),
            progress: Arc::clone(&self.progress),
            readers: Arc::clone(&self.readers),
            stop: self.stop.clone(),
            version: VERSION,
        });
        let limits =
            listen::Limits { connections: self.settings().server.max_connections, ..listen::Limits::default() };
        let mut addresses = Vec::new();
        let apart = doors.private.is_some();
        let healthz = doors.private.as_ref().or(doors.public.first());
        if let Some(address) = healthz.and_then(|listener| listener.local_addr().ok()) {
            let _ = self.probe_at.set(supervise::reachable(address));
        }
        for listener in doors.public {
            addresses.push(listener.local_addr().map_err(system)?);
            let router = if apart { routes::public(&state) } else { routes::whole(&state) };
            let door = TcpListener::from_std(listener).map_err(system)?;
            self.tasks.spawn(listen::serve(door, router, limits, self.tasks.clone(), self.stop.clone()));
        }
        if let Some(listener) = doors.private {
            let door = TcpListener::from_std(listener).map_err(system)?;
            let router = routes::private(&state);
            self.tasks.spawn(listen::serve(door, router, limits, self.tasks.clone(), self.stop.clone()));
        }
        if let Some(path) = control {
            match ControlSocket::bind(&path) {
                Ok(door) => {
                    let (tasks, stop) = (self.tasks.clone(), self.stop.clone());
                    self.tasks.spawn(listen::serve(door, routes::control(&state), limits, tasks, stop));
                }
                // The daemon's main job does not hang on it: a path may be too long for a socket.
                Err(e) => tracing::warn!(error = %e, "there is no control socket; commands cannot talk to this daemon"),
            }
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_socket_stands_beside_the_database_wherever_that_is() {
        let nothing = Environment::default();
        for (database, socket) in [
            ("feedmill.db", "./control.sock"),
            ("config/a.db", "config/control.sock"),
            ("/var/a.db", "/var/control.sock"),
        ] {
            let found = control_sockets(Some(Path::new(database)), Path::new("feedmill.toml"), &nothing);
            assert_eq!(found, [PathBuf::from(socket)], "{database}");
            assert!(socket != "./control.sock" || found.iter().all(|path| path.parent().is_some_and(Path::is_dir)));
        }
    }
}
