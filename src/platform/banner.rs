//! The banner that a server sends to whoever connects: its name tells which server it is.

use std::{io, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::region::topology::NodePlan;

/// How long a node may take to send its banner.
const BANNER: Duration = Duration::from_millis(500);

/// Whether this node, not some other server, answers on the client port.
pub async fn probe_banner(node: &NodePlan) -> bool {
    let name = format!("\"server_name\":\"{}\"", node.name);
    let banner = async {
        let mut stream = TcpStream::connect((node.host(), node.client_port)).await?;
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n") && text.len() < 64 * 1024 {
            if stream.read_buf(&mut text).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(String::from_utf8_lossy(&text).contains(&name))
    };
    matches!(timeout(BANNER, banner).await, Ok(Ok(true)))
}
