//! A road to the API server on which everything takes its time: what is over in a moment elsewhere can be looked at, and
//! interrupted, half-way.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::bed::Bed;

/// A way to the server of a bed; each answer comes later than it would by the time that was asked for. It is open until the
/// test program ends.
pub struct SlowRoad {
    /// Kubeconfig of the administrator by this way.
    pub kubeconfig: PathBuf,
}

impl SlowRoad {
    /// Opens one and writes its kubeconfig into the folder. `delay` is added to each answer; bytes on their way do not wait
    /// for each other, so that only the time changes, not the throughput.
    pub fn open(bed: &Bed, folder: &Path, delay: Duration) -> Self {
        let server = bed.kubectl(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]);
        let address: SocketAddr =
            server.trim_start_matches("https://").trim_end_matches('/').parse().expect("an address and a port");
        let entrance = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = entrance.local_addr().expect("it is bound").port();
        std::thread::spawn(move || {
            for arrived in entrance.incoming().flatten() {
                // A server that is gone is seen by who called.
                let Ok(onward) = TcpStream::connect(address) else { continue };
                join(&arrived, &onward, Duration::ZERO);
                join(&onward, &arrived, delay);
            }
        });
        let text = std::fs::read_to_string(&bed.kubeconfig).expect("the bed's kubeconfig");
        let slow = text.replace(&address.to_string(), &format!("{}:{port}", address.ip()));
        assert_ne!(slow, text, "the kubeconfig names {address}");
        let kubeconfig = folder.join("slow-kubeconfig");
        std::fs::write(&kubeconfig, slow).expect("written");
        Self { kubeconfig }
    }
}

/// Carries bytes from one to the other, each `delay` after it came.
fn join(from: &TcpStream, to: &TcpStream, delay: Duration) {
    let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        // A connection that breaks is one that has ended.
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // It may be closed already.
        let _ = to.shutdown(Shutdown::Write);
    });
}
