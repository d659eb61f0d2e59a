//! The etcd of each fake cluster, as far as etcdctl tells of it and changes it: a change needs a majority that runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::held::{FakeContainer, Held};
use crate::cluster::{CONTROL_PLANE, LABEL_JOINED, LABEL_POD_SUBNETS, LABEL_ROLE};
use crate::driver::engine::Executed;

/// A member of the etcd of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FakeMember {
    id: u32,
    name: String,
    pub(crate) address: Ipv4Addr,
    /// By which the others know it: of the cluster's first family.
    peer: IpAddr,
    pub(crate) is_learner: bool,
}

impl Held {
    /// A control plane that was there from the start founds etcd, with its others.
    pub(super) fn found_etcd(&mut self, id: &str) {
        let Some(found) = self.containers.get(id) else { return };
        let labels = &found.container.labels;
        let is_founder = labels.get(LABEL_ROLE).is_some_and(|role| role == CONTROL_PLANE);
        let members = self.etcd.entry(found.network.clone()).or_default();
        if is_founder
            && !labels.contains_key(LABEL_JOINED)
            && !members.iter().any(|member| member.address == found.address)
        {
            let (name, address) = (found.container.name.clone(), found.address);
            let is_v6_first = labels
                .get(LABEL_POD_SUBNETS)
                .is_some_and(|subnets| subnets.split(',').next().is_some_and(|subnet| subnet.contains(':')));
            let v6 = found.extras.address_v6.filter(|_| is_v6_first).map(IpAddr::V6);
            let peer = v6.unwrap_or(address.into());
            members.push(FakeMember { id: number(members), name, address, peer, is_learner: false });
        }
    }

    /// The members of the etcd of the cluster on this network.
    pub(crate) fn members(&self, network: &str) -> &[FakeMember] {
        self.etcd.get(network).map(Vec::as_slice).unwrap_or_default()
    }

    /// What etcdctl answers in the container of etcd on a node.
    pub(super) fn etcdctl(&mut self, node: &str, words: &[&str]) -> Executed {
        match self.answer(node, words) {
            Ok(output) => Executed { code: 0, output, errors: String::new() },
            Err(said) => Executed { code: 1, output: String::new(), errors: format!("Error: {said}\n") },
        }
    }

    fn answer(&mut self, node: &str, words: &[&str]) -> Result<String, String> {
        let found = self.containers.get(node).ok_or("no such container")?;
        let (network, address) = (found.network.clone(), found.address);
        let members = self.members(&network).to_vec();
        let asked = members.iter().find(|member| member.address == address).ok_or("no container of etcd")?;
        if asked.is_learner {
            return Err("etcdserver: rpc not supported for learner".into());
        }
        if !self.has_majority(&network, &members) {
            return Err("context deadline exceeded".into());
        }
        let position = |id: &str| {
            members.iter().position(|member| member.id.to_string() == id).ok_or("etcdserver: member not found")
        };
        let mut changed = members.clone();
        match words {
            ["member", "list", ..] => {
                let line = |member: &FakeMember| {
                    let FakeMember { id, name, peer, is_learner, .. } = member;
                    let url = |port| format!("https://{}", SocketAddr::new(*peer, port));
                    format!("{id}, started, {name}, {}, {}, {is_learner}\n", url(2380), url(2379))
                };
                return Ok(members.iter().map(line).collect());
            }
            ["member", "add", name, "--learner", urls] => {
                let url: SocketAddr =
                    urls.trim_start_matches("--peer-urls=https://").parse().map_err(|_| "malformed URL")?;
                let peer = url.ip();
                let is_at = |found: &&FakeContainer| {
                    found.network == network
                        && [Some(found.address.into()), found.extras.address_v6.map(IpAddr::V6)].contains(&Some(peer))
                };
                let address = self.containers.values().find(is_at).ok_or("no such host")?.address;
                if members.iter().any(|member| member.is_learner) {
                    return Err("etcdserver: too many learner members in cluster".into());
                }
                if members.iter().any(|member| member.address == address) {
                    return Err("etcdserver: Peer URLs already exists".into());
                }
                let (id, name) = (number(&members), (*name).into());
                changed.push(FakeMember { id, name, address, peer, is_learner: true });
            }
            ["member", "promote", id] => {
                let index = position(id)?;
                if !changed[index].is_learner {
                    return Err("etcdserver: can only promote a learner member".into());
                }
                if !self.runs(&network, changed[index].address) {
                    return Err("etcdserver: can only promote a learner member which is in sync with leader".into());
                }
                changed[index].is_learner = false;
            }
            ["member", "remove", id] => {
                changed.remove(position(id)?);
                if !self.has_majority(&network, &changed) {
                    return Err("etcdserver: re-configuration failed due to not enough started members".into());
                }
            }
            other => return Err(format!("unknown command {other:?}")),
        }
        self.etcd.insert(network, changed);
        Ok(String::new())
    }

    fn has_majority(&self, network: &str, members: &[FakeMember]) -> bool {
        let voters = members.iter().filter(|member| !member.is_learner);
        let running = voters.clone().filter(|member| self.runs(network, member.address)).count();
        2 * running > voters.count()
    }

    fn runs(&self, network: &str, address: Ipv4Addr) -> bool {
        let etcd = "/etc/kubernetes/manifests/etcd.yaml";
        self.containers.values().any(|found| {
            let is_there = found.network == network && found.address == address;
            is_there && found.container.running && found.files.contains_key(etcd)
        })
    }
}

/// One that no other member has.
fn number(members: &[FakeMember]) -> u32 {
    members.iter().map(|member| member.id).max().unwrap_or_default() + 1
}
