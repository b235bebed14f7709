//! Is it there? A server greets whoever connects, with its name.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::region::topology::NodePlan;

/// How long a node may take for its greeting.
const GREETING: Duration = Duration::from_millis(500);

/// Does this very node, not some other server, greet on the client port?
pub async fn greets(node: &NodePlan) -> bool {
    let name = format!("\"server_name\":\"{}\"", node.name);
    let greeting = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, node.client_port)).await?;
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n") && text.len() < 64 * 1024 {
            if stream.read_buf(&mut text).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(String::from_utf8_lossy(&text).contains(&name))
    };
    matches!(timeout(GREETING, greeting).await, Ok(Ok(true)))
}
