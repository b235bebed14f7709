//! The helper process: it makes a user namespace, in it a network namespace with a TUN device for
//! each zone, and sockets in them; everything it makes goes to the room as descriptors. It holds
//! nothing that the room needs once it has it, and ends when the room's end of its socket closes.
//!
//! It is this program started anew, since only a process of one thread can make a user namespace.

use std::{
    fs,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::Ipv4Addr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkMessage},
};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketType, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::platform::counters::EndCount;

/// The hidden word that makes this program the helper.
pub const SUBCOMMAND: &str = "wire-helper";
/// The zone's device.
const DEVICE: &str = "wan0";
/// Ethernet's, so that packets are as large as on a real line.
const MTU: u16 = 1_500;
/// Packets that wait for the wire: as many as a sender may have under way.
const QUEUE: u32 = 10_000;
/// The loopback device is the first of every network namespace.
const LOOPBACK: u32 = 1;
/// The prefix of all zones' addresses together: what has another zone's goes to the device.
const PREFIX: u8 = 8;
/// The longest message.
const LONGEST: usize = 4_096;

/// What the room asks.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// The user namespace; first of all.
    Begin,
    /// To enter the user namespace that comes with it, which an earlier helper has made; instead of
    /// `Begin`.
    Join,
    /// A network namespace with these addresses; answered with it and its device.
    Zone(Vec<Ipv4Addr>),
    /// A TCP socket in the namespace that comes with it.
    Socket,
    /// What the kernel counts in the namespace that comes with it.
    Counters,
}

/// What the helper answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    Done,
    Counted(EndCount),
    /// What it was doing, and the system's error.
    Failed(String, String),
}

/// An error with what was being done.
type Failed = (&'static str, io::Error);

/// The helper's whole life; standard input is its socket.
pub fn run() {
    let room = io::stdin();
    while let Ok(Some((bytes, descriptors))) = receive(room.as_fd()) {
        let done = serde_json::from_slice(&bytes)
            .map_err(|error| ("read the request", io::Error::from(error)))
            .and_then(|request| serve(&request, &descriptors));
        let (answer, given) = match done {
            Ok(done) => done,
            Err((doing, error)) => (Answer::Failed(doing.into(), error.to_string()), Vec::new()),
        };
        let given: Vec<BorrowedFd<'_>> = given.iter().map(AsFd::as_fd).collect();
        let sent = serde_json::to_vec(&answer).map_err(io::Error::from);
        if sent.and_then(|bytes| send(room.as_fd(), &bytes, &given)).is_err() {
            return;
        }
    }
}

fn serve(request: &Request, came: &[OwnedFd]) -> Result<(Answer, Vec<OwnedFd>), Failed> {
    let enter_a = |kind, doing| {
        let given = came.first().ok_or_else(|| io::Error::other("no namespace came with it"));
        let entered = given.and_then(|fd| Ok(setns(fd, kind)?));
        entered.map_err(|error| (doing, error))
    };
    let enter = || enter_a(CloneFlags::CLONE_NEWNET, "enter a zone's network namespace");
    Ok(match request {
        Request::Join => {
            enter_a(CloneFlags::CLONE_NEWUSER, "enter the region's user namespace")?;
            (Answer::Done, Vec::new())
        }
        Request::Begin => (Answer::Done, vec![user_namespace()?]),
        Request::Zone(addresses) => (Answer::Done, zone(addresses)?),
        Request::Socket => {
            enter()?;
            let socket = rustix::net::socket_with(
                rustix::net::AddressFamily::INET,
                SocketType::STREAM,
                rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK,
                None,
            );
            (Answer::Done, vec![socket.map_err(|error| ("make a socket", error.into()))?])
        }
        Request::Counters => {
            enter()?;
            let counted = EndCount::read().map_err(|error| ("read the kernel's counters", error));
            (Answer::Counted(counted?), Vec::new())
        }
    })
}

/// The person stays who they are in it, so that files belong to the same one inside and outside.
fn user_namespace() -> Result<OwnedFd, Failed> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let made = unshare(CloneFlags::CLONE_NEWUSER);
    made.map_err(|error| ("make a user namespace", error.into()))?;
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{user} {user} 1")),
        ("gid_map", format!("{group} {group} 1")),
    ];
    for (file, text) in maps {
        let written = fs::write(format!("/proc/self/{file}"), text);
        written.map_err(|error| ("say who is who in a user namespace", error))?;
    }
    namespace("user")
}

fn namespace(kind: &str) -> Result<OwnedFd, Failed> {
    let opened = fs::File::open(format!("/proc/self/ns/{kind}"));
    opened.map(OwnedFd::from).map_err(|error| ("hold a namespace", error))
}

/// A network namespace with its device: what is sent from it to another zone's address is read there.
fn zone(addresses: &[Ipv4Addr]) -> Result<Vec<OwnedFd>, Failed> {
    let made = unshare(CloneFlags::CLONE_NEWNET);
    made.map_err(|error| ("make a network namespace", error.into()))?;
    let device = tun_rs::DeviceBuilder::new()
        .name(DEVICE)
        .mtu(MTU)
        .enable(true)
        .build_sync()
        .map_err(|error| ("make a TUN device (/dev/net/tun)", error))?;
    let set_up = || -> io::Result<()> {
        device.set_nonblocking(true)?;
        let index = rustix::net::netdevice::name_to_index(
            rustix::net::socket(rustix::net::AddressFamily::INET, SocketType::DGRAM, None)?,
            DEVICE,
        )?;
        let mut up = LinkMessage::default();
        up.header.index = LOOPBACK;
        up.header.flags = LinkFlags::Up;
        up.header.change_mask = LinkFlags::Up;
        netlink(RouteNetlinkMessage::SetLink(up))?;
        let mut queue = LinkMessage::default();
        queue.header.index = index;
        queue.attributes = vec![LinkAttribute::TxQueueLen(QUEUE)];
        netlink(RouteNetlinkMessage::SetLink(queue))?;
        for address in addresses {
            let mut message = AddressMessage::default();
            message.header.family = AddressFamily::Inet;
            message.header.prefix_len = PREFIX;
            message.header.index = index;
            message.attributes = vec![
                AddressAttribute::Local((*address).into()),
                AddressAttribute::Address((*address).into()),
            ];
            netlink(RouteNetlinkMessage::NewAddress(message))?;
        }
        Ok(())
    };
    set_up().map_err(|error| ("set up a zone's network", error))?;
    let held = device.as_fd().try_clone_to_owned();
    Ok(vec![namespace("net")?, held.map_err(|error| ("hold a TUN device", error))?])
}

/// Asks the kernel for a change of this network namespace, and waits until it has made it.
fn netlink(change: RouteNetlinkMessage) -> io::Result<()> {
    let mut message = NetlinkMessage::from(change);
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_ROUTE)?;
    socket.send_to(&bytes, &netlink_sys::SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer);
    match answer.map_err(io::Error::other)?.payload {
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
        _ => Ok(()),
    }
}

/// Sends one message, with descriptors.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !along.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut along, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one message, with its descriptors; `None` when the other end is gone.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut along = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        let parts = &mut [IoSliceMut::new(&mut bytes)];
        match recvmsg(socket, parts, &mut along, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            got => break got?,
        }
    };
    let rights = along.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors = rights.flatten().collect();
    bytes.truncate(got.bytes);
    Ok((got.bytes > 0).then_some((bytes, descriptors)))
}
