//! The members of a living cluster's etcd, asked for and changed by the etcdctl in the container of one of them.
//!
//! etcd allows one change at a time. Whoever is new learns first: a learner has no vote, so that one which never starts
//! costs nobody the majority; it is promoted once it has all there is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use qbo_api::message::Code;
use qbo_bootstrap::EtcdMember;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::is_of_node;
use crate::cluster::FoundNode;
use crate::driver::engine::{Engine, EngineFault, Executed};
use crate::error::Failure;

/// Before the words of etcdctl: run in a node, which holds more than one container. etcd listens on the loopback address of the
/// cluster's first family alone.
const ETCDCTL: &str = "crictl exec --sync \"$(crictl ps --quiet --state Running \
                       --label io.kubernetes.pod.namespace=kube-system --label io.kubernetes.container.name=etcd \
                       | head -n 1)\" etcdctl --endpoints=https://localhost:2379 \
                       --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt \
                       --key=/etc/kubernetes/pki/etcd/healthcheck-client.key";

/// How long one question may take. etcdctl itself gives up after five seconds.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// How long a new member may take to start and to learn all there is.
const LEARNING_LIMIT: Duration = Duration::from_mins(3);

/// Members that have been connected for less than five seconds count as absent (etcd's `HealthInterval`).
const SETTLING_LIMIT: Duration = Duration::from_secs(20);

/// What etcd says then.
const UNSETTLED: &str = "unhealthy cluster";

/// Between two questions whether etcd has come so far: nobody tells.
const PAUSE: Duration = Duration::from_millis(200);

/// What etcd says of one that has a vote.
const PROMOTED: &str = "can only promote a learner member";

/// The way to a living etcd.
pub(super) struct Etcd<'a> {
    engine: &'a dyn Engine,
    /// The control plane whose member is asked.
    through: &'a str,
    pub(super) members: Vec<Member>,
}

/// A member as etcd tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// As etcdctl takes it.
    id: String,
    /// Empty until it has started for the first time.
    name: String,
    peer_urls: Vec<String>,
    is_learner: bool,
}

impl<'a> Etcd<'a> {
    /// The etcd of these control planes, by the first of them that answers.
    pub(super) async fn reach(engine: &'a dyn Engine, control_planes: &[&'a FoundNode]) -> Result<Self, Failure> {
        let mut reason = "none of its other control planes runs".to_owned();
        for node in control_planes.iter().filter(|node| node.container.running) {
            let through = node.container.id.as_str();
            match run(engine, through, "member list --write-out=simple").await {
                Ok(listed) => return Ok(Self { engine, through, members: Member::read_all(&listed) }),
                Err(failure) if failure.code == Code::UNAVAILABLE => return Err(failure),
                Err(failure) => reason = failure.problem,
            }
        }
        let problem = format!("etcd does not answer: {reason}");
        Err(Failure::new(Code::BAD_GATEWAY, problem, "more than half of the control planes must run: qbo get nodes"))
    }

    /// Tells of a node that is to become a member.
    pub(super) async fn add(&self, node: &EtcdMember, token: &CancellationToken) -> Result<(), Failure> {
        let words = format!("member add {} --learner --peer-urls={}", node.name, node.peer_url());
        self.change(&words, token).await
    }

    /// Waits until the member on the node with this address has learnt all there is, and gives it a vote; `in_vain` tells why it never will.
    pub(super) async fn promote(
        &self,
        address: Ipv4Addr,
        in_vain: impl Future<Output = Failure>,
        token: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut in_vain = std::pin::pin!(in_vain);
        let listed = run(self.engine, self.through, "member list --write-out=simple").await?;
        let member = Member::read_all(&listed).into_iter().find(|member| member.is_at(address));
        let missing = || Failure::new(Code::CONFLICT, format!("etcd does not know of a member at {address}"), "");
        let words = format!("member promote {}", member.ok_or_else(missing)?.id);
        let promoted = async {
            loop {
                match run(self.engine, self.through, &words).await {
                    Ok(_) => return Ok(()),
                    // The answer to an earlier question was lost.
                    Err(failure) if failure.problem.ends_with(PROMOTED) => return Ok(()),
                    Err(failure) if failure.code == Code::BAD_GATEWAY => {
                        tracing::debug!(%failure, "a member of etcd still learns");
                    }
                    Err(failure) => return Err(failure),
                }
                tokio::select! {
                    paused = pause(token) => paused?,
                    failure = &mut in_vain => return Err(failure),
                }
            }
        };
        let late = |_| {
            let problem = format!("waited {} s in vain for etcd on the new node", LEARNING_LIMIT.as_secs());
            Failure::new(Code::TIMEOUT, problem, "is there room on the host? qbo test host")
        };
        tokio::time::timeout(LEARNING_LIMIT, promoted).await.map_err(late)?
    }

    /// Removes the member on the node with this address, where there is one.
    pub(super) async fn remove(&self, address: Ipv4Addr) -> Result<(), Failure> {
        for member in self.members.iter().filter(|member| member.is_at(address)) {
            self.remove_member(member).await?;
        }
        Ok(())
    }

    /// Removes members that are on none of the nodes with these addresses: somebody removed those, and they only count against
    /// the majority.
    pub(super) async fn forget_others(&mut self, nodes: &[Ipv4Addr]) -> Result<(), Failure> {
        let is_known = |member: &&Member| nodes.iter().any(|node| member.is_at(*node));
        for member in self.members.iter().filter(|member| !is_known(member)) {
            tracing::info!(member = member.name, "forgetting a member of etcd whose node is gone");
            self.remove_member(member).await?;
        }
        self.members.retain(|member| is_known(&member));
        Ok(())
    }

    async fn remove_member(&self, member: &Member) -> Result<(), Failure> {
        // What was begun is not cut short.
        self.change(&format!("member remove {}", member.id), &CancellationToken::new()).await
    }

    /// Changes who is a member, once the members have been connected for long enough for etcd to allow it.
    async fn change(&self, words: &str, token: &CancellationToken) -> Result<(), Failure> {
        let limit = Instant::now() + SETTLING_LIMIT;
        loop {
            match run(self.engine, self.through, words).await {
                Err(failure) if failure.problem.ends_with(UNSETTLED) => {
                    if Instant::now() >= limit {
                        let cure = "start the control planes that are stopped, or delete them: qbo get nodes";
                        return Err(Failure { cure: cure.into(), ..failure });
                    }
                    pause(token).await?;
                }
                outcome => return outcome.map(drop),
            }
        }
    }

    /// Its members, as one that joins must be told of them.
    pub(super) fn existing(&self) -> Vec<EtcdMember> {
        let member = |member: &Member| {
            let address = member.peer_urls.iter().find_map(|url| address(url))?;
            Some(EtcdMember { name: member.name.clone(), address })
        };
        self.members.iter().filter_map(member).collect()
    }

    /// Whether more than half of those with a vote are left, and run, once the members on these nodes have gone one after the
    /// other; they and the nodes that run are named by their addresses.
    pub(super) fn outlives(&self, leaving: &[Ipv4Addr], running: &[Ipv4Addr]) -> bool {
        let mut voters: Vec<&Member> = self.members.iter().filter(|member| !member.is_learner).collect();
        let is_alive = |voters: &[&Member]| {
            let runs = |member: &&&Member| running.iter().any(|node| member.is_at(*node));
            2 * voters.iter().filter(runs).count() > voters.len()
        };
        leaving.iter().all(|address| {
            voters.retain(|member| !member.is_at(*address));
            is_alive(&voters)
        })
    }
}

impl Member {
    /// Reads lines as `8211f1d0f64f3269, started, control-1, https://10.201.0.10:2380, https://10.201.0.10:2379, false`.
    fn read_all(listed: &str) -> Vec<Self> {
        listed.lines().filter_map(Self::read).collect()
    }

    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(", ").map(str::trim).collect();
        let [id, _status, name, peer_urls, _client_urls, is_learner] = fields.as_slice() else { return None };
        Some(Self {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            peer_urls: peer_urls.split(',').map(str::to_owned).collect(),
            is_learner: *is_learner == "true",
        })
    }

    /// Whether it is on the node with this address. Members know each other by the cluster's first family, which may be IPv6.
    fn is_at(&self, node: Ipv4Addr) -> bool {
        self.peer_urls.iter().filter_map(|url| address(url)).any(|address| is_of_node(address, node))
    }
}

/// A call that changes something is never dropped half-way; a pause may be.
async fn pause(token: &CancellationToken) -> Result<(), Failure> {
    token.run_until_cancelled(tokio::time::sleep(PAUSE)).await.ok_or_else(Failure::cancelled)
}

fn address(peer_url: &str) -> Option<IpAddr> {
    let socket: SocketAddr = peer_url.split("://").nth(1)?.trim_end_matches('/').parse().ok()?;
    Some(socket.ip())
}

async fn run(engine: &dyn Engine, node: &str, words: &str) -> Result<String, Failure> {
    let command = format!("{ETCDCTL} {words}");
    let executed = tokio::time::timeout(CALL_LIMIT, engine.execute(node, &["/bin/sh", "-c", &command])).await;
    let late = |_| {
        let problem = format!("waited {} s in vain for 'etcdctl {words}'", CALL_LIMIT.as_secs());
        Failure::new(Code::BAD_GATEWAY, problem, "")
    };
    let Executed { code, output, errors } = match executed.map_err(late)? {
        Ok(executed) => executed,
        // A node that just ended is one that does not answer.
        Err(error) if matches!(error.cause, EngineFault::Refused { .. } | EngineFault::NotFound(_)) => {
            return Err(Failure::new(Code::BAD_GATEWAY, error.to_string(), ""));
        }
        Err(error) => return Err(error.into()),
    };
    if code == 0 {
        return Ok(output);
    }
    let said = said(&errors).or_else(|| said(&output)).unwrap_or_default();
    Err(Failure::new(Code::BAD_GATEWAY, format!("'etcdctl {words}' ended with {code}: {said}"), ""))
}

/// Why etcdctl failed: it says so in a line of its own, or crictl repeats all it said in one line, quoted. Otherwise the last line.
fn said(text: &str) -> Option<&str> {
    let reason = text.lines().find_map(|line| line.split_once("Error: ")?.1.split("\\n").next());
    reason.or_else(|| text.lines().rfind(|line| !line.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::fake::FakeEngine;

    const LISTED: &str = "\
        8211f1d0f64f3269, started, control-1, https://10.201.0.10:2380, https://10.201.0.10:2379, false\n\
        91bc3c398fb3c146, started, control-2, https://10.201.0.11:2380, https://10.201.0.11:2379, false\n\
        fd422379fda50e48, unstarted, , https://10.201.0.12:2380, , true\n";

    fn etcd<'a>(engine: &'a FakeEngine, listed: &str) -> Etcd<'a> {
        Etcd { engine, through: "", members: Member::read_all(listed) }
    }

    #[test]
    fn members_are_read_with_their_addresses_before_they_have_a_name() {
        let members = Member::read_all(LISTED);
        let told: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.is_learner)).collect();
        assert_eq!(told, [("control-1", false), ("control-2", false), ("", true)]);
        let numbers = [("10.201.0.10", "[fd00::a]"), ("10.201.0.11", "[fd00::b]"), ("10.201.0.12", "[fd00::c]")];
        let v6 = numbers.iter().fold(LISTED.to_owned(), |listed, (v4, v6)| listed.replace(v4, v6));
        for listed in [LISTED.to_owned(), v6] {
            for (index, member) in Member::read_all(&listed).iter().enumerate() {
                let at: Vec<u8> = (1..20).filter(|last| member.is_at(Ipv4Addr::new(10, 201, 0, *last))).collect();
                assert_eq!(at, [10 + u8::try_from(index).unwrap()], "{listed}");
            }
        }
        assert_eq!(Member::read_all("Error: context deadline exceeded\n"), []);
    }

    #[test]
    fn what_etcdctl_says_is_told_without_what_crictl_says_around_it() {
        let own = "{\"level\":\"warn\"}\nError: etcdserver: unhealthy cluster\ntime=\"…\" level=fatal msg=\"command terminated\"\n";
        let quoted = r#"time="…" level=fatal msg="command 'etcdctl member add a' exited with 1: {\"error\":\"rpc error: code = Unavailable desc = etcdserver: unhealthy cluster\"}\nError: etcdserver: unhealthy cluster\n""#;
        for text in [own, quoted] {
            assert_eq!(said(text), Some("etcdserver: unhealthy cluster"));
        }
        assert_eq!(said("first\nlast\n\n"), Some("last"));
        assert_eq!(said("\n"), None);
    }

    #[test]
    fn more_than_half_of_the_votes_must_outlive_every_single_removal() {
        let engine = FakeEngine::default();
        let line = |number| {
            format!(
                "{number:x}, started, c{number}, https://10.0.0.{number}:2380, https://10.0.0.{number}:2379, false\n"
            )
        };
        let etcd = |count: u8| etcd(&engine, &(1..=count).map(line).collect::<String>());
        let outlives = |count, leaving: &[u8], stopped: &[u8]| {
            let at = |last: &u8| Ipv4Addr::new(10, 0, 0, *last);
            let running: Vec<Ipv4Addr> =
                (1..=count).filter(|number| !stopped.contains(number)).map(|number| at(&number)).collect();
            let leaving: Vec<Ipv4Addr> = leaving.iter().map(at).collect();
            etcd(count).outlives(&leaving, &running)
        };
        assert!(outlives(3, &[1], &[]) && outlives(3, &[1], &[1]) && outlives(2, &[1], &[]));
        assert!(!outlives(3, &[1], &[2]), "one of two is no majority");
        assert!(outlives(3, &[1, 2], &[1]) && outlives(5, &[1, 2], &[1]) && outlives(5, &[1, 2], &[1, 2]));
        assert!(!outlives(3, &[2, 1], &[1]), "those that are stopped go first");
        assert!(!outlives(1, &[1], &[]));
    }
}
