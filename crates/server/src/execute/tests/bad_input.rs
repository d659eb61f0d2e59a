//! What is refused: each with a code, its own words and what to do, and nothing is changed by it.

use qbo_api::message::Code;

use crate::driver::engine::{EngineFault, Executed};
use crate::driver::fake::{FakeImage, Trouble};
use crate::error::Failure;
use crate::execute::fixture::Cloud;

/// Something that is wrong.
struct Wrong {
    /// How the host is made so.
    given: fn(&Cloud),
    line: &'static str,
    code: Code,
    problem: &'static str,
    /// Words of the cure.
    cure: &'static str,
}

const WRONG: &[Wrong] = &[
    Wrong {
        given: |_| {},
        line: "add cluster alex --cpus 5",
        code: Code::UNPROCESSABLE,
        problem: "a node cannot have 5000 thousandths of a processor: the host has 4000 thousandths of a processor and 16384 MiB of memory",
        cure: "ask for less: --cpus",
    },
    Wrong {
        given: |_| {},
        line: "add cluster alex --memory 512Mi",
        code: Code::UNPROCESSABLE,
        problem: "the limit of a control plane is at least 1000m of CPU and 1024 MiB of memory",
        cure: "give more: --cpus, --memory",
    },
    Wrong {
        given: |_| {},
        line: "add cluster alex -n 3 --pod-subnet 10.61.0.0/23",
        code: Code::UNPROCESSABLE,
        problem: "pod subnet 10.61.0.0/23 has room for 2 nodes, 3 are planned",
        cure: "--pod-subnet",
    },
    Wrong {
        given: |_| {},
        line: "add cluster alex --service-subnet 20.0.0.0/8",
        code: Code::UNPROCESSABLE,
        problem: "service subnet 20.0.0.0/8 is none of the sizes /12 to /28",
        cure: "--service-subnet",
    },
    Wrong {
        given: |_| {},
        line: "add cluster alex --service-subnet 10.244.0.0/24",
        code: Code::UNPROCESSABLE,
        problem: "10.244.0.0/24 of Services overlaps with 10.244.0.0/16 of pods",
        cure: "--pod-subnet, --service-subnet",
    },
    Wrong {
        given: |_| {},
        line: "add cluster alex --pod-subnet 10.0.0.0/8",
        code: Code::UNPROCESSABLE,
        problem: "10.96.0.0/16 of Services overlaps with 10.0.0.0/8 of pods",
        cure: "--pod-subnet, --service-subnet",
    },
    Wrong {
        given: |cloud| {
            let output = "err=\"failed to set feature gates: unrecognized feature gate: Foo\"".into();
            cloud.engine.execute_as(Executed { code: 0, output, errors: String::new() });
        },
        line: "add cluster alex --feature-gate Foo=true",
        code: Code::UNPROCESSABLE,
        problem: "the node image's Kubernetes refuses it: unrecognized feature gate: Foo",
        cure: "https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates",
    },
    Wrong {
        given: |_| {},
        line: "add cluster alex -i nginx:1.99",
        code: Code::BAD_GATEWAY,
        problem: "image 'nginx:1.99' cannot be pulled: pull access denied for nginx, repository does not exist",
        cure: "qbo get images -A",
    },
    Wrong {
        given: |_| {},
        line: "add image nginx:1.99",
        code: Code::BAD_GATEWAY,
        problem: "image 'nginx:1.99' cannot be pulled: pull access denied for nginx, repository does not exist",
        cure: "qbo get images -A",
    },
    Wrong {
        given: |cloud| cloud.engine.hold_image(FakeImage::other("nginx:1.27")),
        line: "add cluster alex -i nginx:1.27",
        code: Code::UNPROCESSABLE,
        problem: "image 'nginx:1.27' has no Kubernetes in it: there is no valid /kind/version",
        cure: "qbo get images",
    },
    Wrong {
        given: |cloud| cloud.engine.hold_image(FakeImage::other("nginx:1.27").with_file("/kind/version", "latest")),
        line: "add cluster alex -i nginx:1.27",
        code: Code::UNPROCESSABLE,
        problem: "image 'nginx:1.27' has no Kubernetes in it: there is no valid /kind/version",
        cure: "qbo get images",
    },
    Wrong {
        given: |cloud| cloud.engine.drop_images(),
        line: "add cluster alex",
        code: Code::NOT_FOUND,
        problem: "this host holds no node image, and no registry answers",
        cure: "qbo add image qbo/node:v",
    },
    Wrong {
        given: |cloud| cloud.builder.fail(Failure::new(Code::INTERNAL, "the build failed", "run it by hand")),
        line: "add cluster alex -i qbo/node:v1.37.2",
        code: Code::INTERNAL,
        problem: "the build failed",
        cure: "run it by hand",
    },
    Wrong {
        given: |cloud| drop(cloud.engine.hold_network("alex", "198.18.0.0/24")),
        line: "add cluster sam alex",
        code: Code::CONFLICT,
        problem: "there is a Docker network 'alex' that is not this user's, and a cluster's network bears its name",
        cure: "docker network rm alex",
    },
    Wrong {
        given: |_| {},
        line: "add cluster host",
        code: Code::CONFLICT,
        problem: "'host' is a network of Docker's own, and a cluster's network bears its name",
        cure: "take another name",
    },
    Wrong {
        given: |cloud| cloud.engine.vanish(),
        line: "add cluster alex",
        code: Code::UNAVAILABLE,
        problem: "Docker does not answer (containers): connection refused",
        cure: "systemctl start docker",
    },
    Wrong {
        given: |cloud| {
            let fault = EngineFault::Forbidden("Permission denied (os error 13)".into());
            cloud.engine.trouble(0, Trouble::Fails(fault));
        },
        line: "add cluster alex",
        code: Code::UNAVAILABLE,
        problem: "this user may not talk to Docker: Permission denied (os error 13)",
        cure: "usermod -aG docker",
    },
    Wrong {
        // A file system without any room.
        given: |cloud| cloud.engine.keep_data_in("/proc"),
        line: "add cluster alex",
        code: Code::NO_ROOM,
        problem: "/proc has 0 MiB free; a cluster needs at least 1024 MiB",
        cure: "docker system prune",
    },
    Wrong {
        given: |_| {},
        line: "delete cluster alex",
        code: Code::NOT_FOUND,
        problem: "there is no cluster 'alex'",
        cure: "there is none yet; make one: qbo add cluster <name>",
    },
    Wrong {
        given: |_| {},
        line: "get cluster alex",
        code: Code::NOT_FOUND,
        problem: "there is no cluster 'alex'",
        cure: "there is none yet; make one: qbo add cluster <name>",
    },
    Wrong {
        given: |_| {},
        line: "get nodes alex",
        code: Code::NOT_FOUND,
        problem: "there is no cluster or node 'alex'",
        cure: "there is none yet; make one: qbo add cluster <name>",
    },
    Wrong {
        given: |_| {},
        line: "stop node node-123 node-567",
        code: Code::NOT_FOUND,
        problem: "there is no node 'node-123'",
        cure: "there is none yet; make one: qbo add cluster <name>",
    },
    Wrong {
        given: |_| {},
        line: "start cluster alex",
        code: Code::NOT_FOUND,
        problem: "there is no cluster 'alex'",
        cure: "there is none yet; make one: qbo add cluster <name>",
    },
    Wrong {
        given: |_| {},
        line: "admit user sam@example.com -m 66fac858-a271-49cf-bad0-fdd9ff0b4787",
        code: Code::NOT_FOUND,
        problem: "nobody is in mirror 66fac858-a271-49cf-bad0-fdd9ff0b4787",
        cure: "join it first",
    },
    Wrong {
        given: |cloud| cloud.engine.vanish(),
        line: "delete cluster -A",
        code: Code::UNAVAILABLE,
        problem: "Docker does not answer (containers): connection refused",
        cure: "systemctl start docker",
    },
    Wrong {
        given: |_| {},
        line: "cancel command 0123abcd 4567cdef",
        code: Code::NOT_FOUND,
        problem: "no command 0123abcd, 4567cdef is running",
        cure: "its id is the command_id of its messages",
    },
];

#[tokio::test]
async fn what_is_wrong_is_told_and_changes_nothing() {
    for Wrong { given, line, code, problem, cure } in WRONG {
        let cloud = Cloud::new();
        given(&cloud);
        let before = cloud.everything();
        let failure = cloud.fail(line).await;
        assert_eq!((failure.code, failure.problem.as_str()), (*code, *problem), "{line}");
        assert!(failure.cure.contains(cure), "{line}: {}", failure.cure);
        assert_eq!(cloud.everything(), before, "{line}");
        assert!(cloud.is_idle(), "{line}");
    }
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex").await;
    let before = cloud.everything();
    for line in ["add cluster alex", "add cluster sam alex"] {
        let failure = cloud.fail(line).await;
        assert_eq!((failure.code, failure.problem.as_str()), (Code::CONFLICT, "there is a cluster 'alex' already"));
        assert_eq!(failure.cure, "take another name, or remove it first: qbo delete cluster alex");
        assert_eq!(cloud.everything(), before);
    }
}

#[tokio::test]
async fn a_container_of_somebody_elses_with_a_nodes_name_is_a_conflict() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    let message = "Conflict. The container name is already in use";
    cloud.engine.trouble_with("create_container node-", Trouble::Fails(EngineFault::NameTaken(message.into())));
    let failure = cloud.fail("add cluster alex").await;
    assert_eq!(failure.code, Code::CONFLICT);
    assert!(failure.problem.starts_with("'node-"), "{failure}");
    assert!(failure.problem.ends_with(&format!("is taken by something qbo did not make: {message}")), "{failure}");
    assert!(failure.cure.contains("docker ps -a --filter name=node-"), "{}", failure.cure);
    assert_eq!(cloud.everything(), before);
}

#[tokio::test]
async fn when_no_range_is_left_the_configured_one_is_named() {
    let cloud = Cloud::with_network_range("198.18.0.0/23");
    cloud.engine.hold_network("other", "198.18.0.0/25");
    cloud.succeed("add cluster alex").await;
    let before = cloud.everything();
    let failure = cloud.fail("add cluster sam").await;
    let problem = "no /24 is left for a cluster's network in 198.18.0.0/23";
    assert_eq!((failure.code, failure.problem.as_str()), (Code::NO_ROOM, problem));
    assert_eq!(failure.cure, "delete a cluster, or give qbo-api a larger range: --network-range");
    assert_eq!(cloud.everything(), before);
}

#[tokio::test]
async fn an_unknown_cluster_is_told_with_those_there_are_and_none_is_deleted() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex sam").await;
    let before = cloud.everything();
    for line in ["delete cluster alx", "delete cluster alex alx sam", "get cluster alex alx", "get nodes alx"] {
        let failure = cloud.fail(line).await;
        let problem =
            if line == "get nodes alx" { "there is no cluster or node 'alx'" } else { "there is no cluster 'alx'" };
        assert_eq!((failure.code, failure.problem.as_str()), (Code::NOT_FOUND, problem), "{line}");
        assert_eq!(failure.cure, "there is: alex, sam", "{line}");
        assert_eq!(cloud.everything(), before, "{line}");
    }
}
