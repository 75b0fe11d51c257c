"""A later contract: methods, lists and fields with high numbers are added to a copy of the .proto,
everything is generated from it, and the server's walk and counters are built of the result."""

import shutil
import subprocess

import pytest

from conftest import ROOT

PROTO = "proto/budget/v1/budget.proto"
PACKAGE = """// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
  name: "later",
  targets: [
    .target(name: "CBudgetWire", linkerSettings: [.linkedLibrary("protobuf-c")]),
    .target(name: "BudgetModel", swiftSettings: settings),
    .target(name: "BudgetWire", dependencies: ["BudgetModel", "CBudgetWire"], swiftSettings: settings),
    .target(name: "Locks"),
    .target(name: "Sockets"),
    .target(name: "TCPTransport"),
    .executableTarget(
      name: "Probe",
      dependencies: ["BudgetModel", "BudgetWire", "Locks", "Sockets", "TCPTransport"]),
  ]
)
"""
# The clock's type is all that counting needs of these.
SOCKETS = """public struct MonotonicInstant: Equatable {
  public var nanoseconds: Int64
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
}
"""
# Judges each line of hexadecimal; then counts each method as a lane does.
PROBE = """import BudgetWire
import Sockets

func verdict(_ bytes: [UInt8]) -> String {
  let decoder = RequestDecoder()
  do {
    let head = try RequestHead(frame: unsafe bytes.span.bytes, bounds: decoder.bounds)
    try decoder.judge(head)
    return "\\(head.method?.description ?? "no method"): OK"
  } catch let refusal as WireRefusal {
    return refusal.fault.description
  } catch {
    return "\\(error)"
  }
}

while let line = readLine() {
  let digits = Array(line.utf8)
  let bytes = stride(from: 0, to: digits.count, by: 2).map {
    UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0
  }
  print(verdict(bytes))
}

let counts = RequestCounts()
var times = TurnTimes()
for method in MethodName.allCases {
  counts.count(method.position, .unauthenticated)
  times.note(method.position, receivedAt: MonotonicInstant(nanoseconds: 0))
}
times.end(at: MonotonicInstant(nanoseconds: 20_000_000_000), in: counts)
var totals = RequestTotals()
counts.add(to: &totals)
for method in MethodName.allCases {
  let answers = totals.answers[method.position][Int(StatusCode.unauthenticated.rawValue)]
  let seconds = totals.durations(method.position).count
  print("\\(CountedMethod.names[method.position]) \\(answers) \\(seconds)")
}
"""
# As many as fill 32 bits, and then some; the last ones' numbers take two bytes of key and more.
MORE = [*range(26, 60), 127, 128, 255]
LISTS, SINGULAR = (40, 2049), (3000, 3001)


def later(proto):
    """The .proto with what a later contract may bring."""
    def add(after, lines):
        nonlocal proto
        assert proto.count(after) == 1, after
        proto = proto.replace(after, after + "".join(f"\n{line}" for line in lines))

    add("service BudgetService {",
        [f"  rpc Later{n}(LaterRequest) returns (PingResponse);" for n in MORE])
    add("  oneof method {", [f"    LaterRequest later{n} = {n};" for n in MORE])
    add("  oneof result {", [f"    PingResponse later{n} = {n};" for n in MORE])
    add("message FilterDeploymentsRequest {", [
        f"  repeated string regions = {LISTS[0]};", f"  repeated Deployment fallbacks = {LISTS[1]};",
        f"  string region = {SINGULAR[0]};", f"  optional double share = {SINGULAR[1]};",
    ])
    add("message RecordSpendRequest {", ["  repeated string labels = 9;", "  uint32 retries = 15;"])
    return proto + """
message LaterRequest {
  repeated string tags = 31;
  optional double limit_usd = 32;
}
"""


def run(*arguments, cwd, **options):
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, check=False, **options)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree of the wire's sources and the counters, generated anew and built."""
    tree = tmp_path_factory.mktemp("later")
    shutil.copytree(ROOT / "proto", tree / "proto")
    for module in ("BudgetModel", "BudgetWire", "CBudgetWire", "Locks"):
        shutil.copytree(ROOT / "Sources" / module, tree / "Sources" / module)
        (tree / "Sources" / module / "README.md").unlink()
    shutil.copytree(ROOT / "Sources/BudgetServer/Counting", tree / "Sources/Probe")
    for module, text in (("Sockets", SOCKETS), ("TCPTransport", "")):
        (tree / "Sources" / module).mkdir()
        (tree / "Sources" / module / "Stand-in.swift").write_text(text)
    (tree / "Sources/Probe/main.swift").write_text(PROBE)
    (tree / "Package.swift").write_text(PACKAGE)
    (tree / PROTO).write_text(later((tree / PROTO).read_text()))
    run("proto/generate.sh", cwd=tree)
    run("proto/generate.sh", "--check", cwd=tree)
    run("swift", "build", "--product", "Probe", cwd=tree)
    return tree


def encoded(tree, text):
    """A request in protobuf's text format as bytes, by the copy of the .proto."""
    return run("protoc", "-Iproto", "--encode=budget.v1.Request", "budget/v1/budget.proto", cwd=tree,
               input=text.encode())


def test_a_later_contract_is_generated_judged_and_counted(tree):
    def request(text, times=1, then=b""):
        head, body = text.split("{", 1)
        inner = body.rsplit("}", 1)[0] * times
        return encoded(tree, f"call_id: 9 {head} {{ {inner} }}") + then

    def twice(text):
        """The message in `text` with all its fields a second time, as no library writes it."""
        whole, empty = request(text), request(text.split("{")[0] + "{ }")
        name = len(empty) - 1
        body = whole[name + 1:]
        assert len(body) < 64 and whole[name] == len(body)
        return whole[:name] + bytes([2 * len(body)]) + body * 2

    filters = "filter_deployments { %s }"
    expected = [
        (request(filters % "regions: 'eu'", 1024), "filter_deployments: OK"),
        (request(filters % "regions: 'eu'", 1025), "regions: 1,025 given, at most 1,024"),
        (request(filters % "fallbacks { id: 'd' }", 1024), "filter_deployments: OK"),
        (request(filters % "fallbacks { id: 'd' }", 1025), "fallbacks: 1,025 given, at most 1,024"),
        (request(filters % "regions: 'eu' tags: 't'", 256), "filter_deployments: OK"),
        (request(filters % "regions: 'eu' tags: 't'", 257), "tags: 257 given, at most 256"),
        (request(filters % "region: 'eu' share: 0.5 model_name: 'm'"), "filter_deployments: OK"),
        (twice(filters % "region: 'eu'"), "region: given twice"),
        (twice(filters % "share: 0"), "share: given twice"),
        (request("record_spend { labels: 'l' }", 1024), "record_spend: OK"),
        (request("record_spend { labels: 'l' tags: 't' }", 256), "record_spend: OK"),
        (request("record_spend { labels: 'l' }", 1025), "labels: 1,025 given, at most 1,024"),
        (request("record_spend { tags: 't' }", 257), "tags: 257 given, at most 256"),
        (twice("record_spend { retries: 3 }"), "retries: given twice"),
        (request("ping {}"), "ping: OK"),
    ]
    for number in MORE:
        method = f"later{number}"
        expected += [
            (request(f"{method} {{ tags: 't' limit_usd: 1 }}"), f"{method}: OK"),
            (request(f"{method} {{ tags: 't' }}", 257), "tags: 257 given, at most 256"),
            (twice(f"{method} {{ limit_usd: 1 }}"), "limit_usd: given twice"),
            (request("ping {}", then=encoded(tree, f"{method} {{}}")),
             f"{method}: given beside ping"),
        ]
    lines = "".join(f"{message.hex()}\n" for message, _ in expected)
    out = run(".build/debug/Probe", cwd=tree, input=lines.encode()).decode().splitlines()
    verdicts, counted = out[:len(expected)], out[len(expected):]
    assert verdicts == [verdict for _, verdict in expected]
    assert counted[-len(MORE):] == [f"Later{number} 1 1" for number in MORE]
    assert len(counted) == len(MORE) + 16 and all(line.endswith(" 1 1") for line in counted)


REFUSED = {
    "no rpc": ("  oneof method {", "    PingRequest later = 40;", "has no rpc Later"),
    "no answer": (
        "service BudgetService {",
        "  rpc Later(PingRequest) returns (PingResponse);", "rpc Later is not in Request"),
    "a packed list": (
        "message RecordSpendRequest {", "  repeated uint32 sizes = 9;",
        "RecordSpendRequest.sizes is a list of numbers"),
    "recursion": (
        "message Deployment {", "  repeated Deployment inner = 9;", "Deployment holds itself"),
    "a oneof": (
        "message RecordSpendRequest {", "  oneof either {\n    string left = 9;\n  }",
        "RecordSpendRequest.left is in a oneof"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_walk_could_not_judge_is_not_generated(tmp_path, case):
    after, line, sentence = REFUSED[case]
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    proto = (tmp_path / PROTO).read_text()
    assert proto.count(after) == 1
    (tmp_path / PROTO).write_text(proto.replace(after, f"{after}\n{line}"))
    done = subprocess.run(
        [tmp_path / "proto/generate.sh"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and sentence in done.stderr, done.stderr
    assert not (tmp_path / "Sources").exists()
