// swift-tools-version: 6.2
import PackageDescription

// Every own target: warnings are errors, memory safety is strict, `import` is internal.
let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .strictMemorySafety(),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

// deploy/package sets the variable: what it packs has Swift's runtime and hiredis inside. Debian has no
// package of the former, and each release of Debian and Ubuntu another soname of the latter. Only the
// last step differs, so objects that are there are linked again. They were compiled against the shared
// runtime, whose modules do not name the archives that the static one is made of.
let isStandalone = Context.environment["BUDGETD_STANDALONE"] != nil
let runtime: [LinkerSetting] =
  isStandalone
  ? [
    .unsafeFlags([
      "-static-stdlib", "-lFoundation", "-lCoreFoundation", "-lFoundationInternationalization",
      "-lFoundationEssentials", "-l_FoundationCollections", "-l_FoundationICU",
      "-l_FoundationCShims",
    ])
  ] : []

/// A module of the house, with its page.
func module(
  _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [],
  links: [LinkerSetting] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, exclude: ["README.md"], resources: resources,
    swiftSettings: strict, linkerSettings: links)
}

/// The tests of a module.
func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
  name: "budgetd",
  products: [
    .executable(name: "budgetd", targets: ["budgetd"]),
    .executable(name: "budgetctl", targets: ["budgetctl"]),
    // Its interface names types of the two modules below it.
    .library(name: "BudgetClient", targets: ["BudgetClient", "BudgetModel", "BudgetWire"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // 8: thin executables
    .executableTarget(
      name: "budgetd",
      dependencies: [
        "BudgetFleet", "BudgetModel", "BudgetPages", "BudgetServer", "BudgetWire", "JSONWriting",
        "LiteLLMConfig", "Reconciliation",
        "RedisStore", "SecretFiles", "Sockets", "TCPTransport", "TLS", argumentParser, logging,
      ], exclude: ["README.md"], swiftSettings: strict, linkerSettings: runtime),
    .executableTarget(
      name: "budgetctl",
      dependencies: [
        "Access", "BudgetAlerts", "BudgetClient", "BudgetModel", "BudgetSimulation", "Documents",
        "JSONWriting", "LiteLLMConfig", "LoadTest", "Webhooks", argumentParser,
      ], exclude: ["README.md"], swiftSettings: strict, linkerSettings: runtime),

    // 5: the node in its fleet
    module(
      "BudgetFleet",
      [
        "BudgetAlerts", "BudgetEngine", "BudgetModel", "Locks", "Reconciliation", "RedisStore",
        "SpendLedger", logging,
      ]),

    // 6: what people and scrapers read of a node, calls to it
    module(
      "BudgetClient",
      ["BudgetModel", "BudgetWire", "Locks", "SecretFiles", "Sockets", "TCPTransport", "TLS"]),
    module(
      "BudgetPages",
      [
        "BudgetEngine", "BudgetFleet", "BudgetModel", "Digest", "HTTPPort", "JSONWriting", "Locks",
        "PrometheusText", "SpendLedger", "Sockets", "TCPTransport", "TLS",
      ],
      resources: ["html", "css", "js"].map { .embedInCode("Status/Web/status.\($0)") }),

    // 7: the request path and the process, traces in virtual time
    module(
      "BudgetServer",
      [
        "Access", "BudgetAlerts", "BudgetEngine", "BudgetFleet", "BudgetModel", "BudgetPages",
        "BudgetWire", "CMalloc", "Digest",
        "Documents", "HTTPPort", "JSONWriting", "LiteLLMConfig", "Locks", "Reconciliation",
        "SpendLedger", "SecretFiles", "Sockets", "TCPTransport", "TLS", "Webhooks", logging,
      ]),
    module("LoadTest", ["BudgetClient", "BudgetModel", "BudgetWire", "Sockets", "TCPTransport"]),
    module(
      "BudgetSimulation",
      ["BudgetEngine", "BudgetModel", "Documents", "JSONWriting", "LiteLLMConfig"]),

    // 4: when and how engine, ledger and store agree
    module("Reconciliation", ["BudgetModel", "RedisStore"]),

    // 3: adapters; they never meet
    module("BudgetAlerts", ["BudgetModel", "Digest", "JSONWriting"]),
    module("Webhooks", ["BudgetModel", "CCurl", "Locks", "SecretFiles"]),
    module("Access", ["BudgetModel", "Digest", "Documents", "SecretFiles"]),
    module("BudgetWire", ["BudgetModel", "CBudgetWire"]),
    module("HTTPPort", ["BudgetModel", "Locks", "Sockets", "TLS"]),
    module("LiteLLMConfig", ["BudgetModel", "Digest", "Documents", "TimeZones"]),
    module("PrometheusText", ["BudgetModel"]),
    module("SpendLedger", ["BudgetModel", "CProcessor", "CSQLite", "Digest", "Locks"]),
    module(
      "RedisStore", ["BudgetModel", "CHiredis", "Locks", "Sockets", "TLS"],
      links: [.linkedLibrary(isStandalone ? ":libhiredis.a" : "hiredis")]),
    module("TCPTransport", ["BudgetModel", "Locks", "Sockets", "TLS"]),

    // 2 and 1: the engine, documents, the nouns
    module("BudgetEngine", ["BudgetModel", "Locks"]),
    module("Documents", ["BudgetModel", "CYAMLEvents"]),
    module("BudgetModel", []),
    module("JSONWriting", ["BudgetModel"]),
    module("Sockets", ["BudgetModel", "CEpoll"]),
    module("TLS", ["CTLS", "Locks"]),
    module("TimeZones", ["BudgetModel"]),
    module("Locks", []),
    module("Digest", ["CCrypto"]),
    module("SecretFiles", []),

    // 0: C, each imported by exactly one module
    .target(
      name: "CBudgetWire", exclude: ["README.md"], linkerSettings: [.linkedLibrary("protobuf-c")]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CEpoll"),
    .target(name: "CTLS", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    // libcurl's headers; the library itself is loaded where there are alerts.
    .target(name: "CCurl"),
    .systemLibrary(name: "CMalloc"),
    .systemLibrary(name: "CProcessor"),
    // Not through pkg-config: it names a flag that the package manager warns of at each build.
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .target(name: "CYAMLEvents", linkerSettings: [.linkedLibrary("yaml")]),

    tests("AccessTests", ["Access", "Documents"]),
    tests("BudgetAlertsTests", ["BudgetAlerts", "BudgetModel"]),
    tests("LocksTests", ["Locks"]),
    tests("WebhooksTests", ["BudgetModel", "Locks", "Webhooks"]),
    tests(
      "BudgetClientTests",
      ["Locks", "BudgetClient", "BudgetWire", "Sockets", "TCPTransport", "WholeRequests"]),
    .executableTarget(
      name: "ConformanceDriver", dependencies: ["BudgetClient"], path: "Tests/ConformanceDriver",
      swiftSettings: strict),
    tests(
      "BudgetEngineTests",
      ["Locks", "BudgetEngine", "BudgetModel", "CAllocationCount", "SeededRandom"]),
    tests(
      "BudgetFleetTests",
      [
        "BudgetAlerts", "BudgetEngine", "BudgetFleet", "BudgetModel", "Locks", "LuaScripts",
        "NodeFixture", "Reconciliation", "RedisStore", "SeededRandom", "SpendLedger", logging,
      ]),
    .target(
      name: "NodeFixture",
      dependencies: [
        "BudgetEngine", "BudgetFleet", "BudgetModel", "Locks", "SpendLedger", logging,
      ], path: "Tests/NodeFixture", swiftSettings: strict),
    tests("BudgetModelTests", ["BudgetModel", "CAllocationCount", "SeededRandom"]),
    tests(
      "BudgetPagesTests",
      [
        "BudgetEngine", "BudgetFleet", "BudgetModel", "BudgetPages", "CAllocationCount",
        "HTTPPort", "JSONWriting", "Digest", "NodeFixture", "SeededRandom", "SpendLedger",
        "TCPTransport",
      ]),
    tests(
      "BudgetServerTests",
      [
        "Access", "BudgetAlerts", "HTTPPort", "Locks", "BudgetEngine", "BudgetFleet", "BudgetModel",
        "BudgetServer",
        "BudgetWire",
        "BudgetPages", "CAllocationCount", "Documents", "LiteLLMConfig", "NodeFixture",
        "Reconciliation",
        "SeededRandom", "SpendLedger", "Sockets", "TCPTransport", logging,
      ]),
    .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
    tests("BudgetSimulationTests", ["BudgetModel", "BudgetSimulation", "LiteLLMConfig"]),
    tests(
      "BudgetWireTests",
      [
        "BudgetModel", "BudgetWire", "CAllocationCount", "CBudgetWire", "SeededRandom",
        "WholeRequests",
      ]),
    .target(
      name: "WholeRequests", dependencies: ["BudgetWire"], path: "Tests/WholeRequests",
      swiftSettings: strict),
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
    tests("DocumentsTests", ["Documents", "SeededRandom"], exclude: ["pyyaml_types.py"]),
    tests("HTTPPortTests", ["BudgetModel", "HTTPPort", "Locks", "Sockets"]),
    tests("HouseRulesTests", []),
    tests("JSONWritingTests", ["BudgetModel", "JSONWriting"]),
    tests(
      "LiteLLMConfigTests",
      ["BudgetModel", "Documents", "LiteLLMConfig", "SeededRandom", "TimeZones"],
      exclude: ["Cases", "Vectors"]),
    tests(
      "ReconciliationTests",
      ["BudgetModel", "LuaScripts", "Reconciliation", "RedisStore", "SeededRandom"]),
    .target(
      name: "LuaScripts", dependencies: ["CLuaHost", "RedisStore"], path: "Tests/LuaScripts",
      swiftSettings: strict),
    .target(
      name: "CLuaHost", path: "Tests/CLuaHost", linkerSettings: [.linkedLibrary("lua5.1")]),
    tests(
      "LoadTestTests",
      ["BudgetModel", "BudgetWire", "LoadTest", "Sockets", "TCPTransport", "WholeRequests"]),
    tests("PrometheusTextTests", ["BudgetModel", "PrometheusText"]),
    tests(
      "RedisStoreTests",
      ["BudgetModel", "Locks", "RedisStore", "Sockets", "TLS", "TestCertificates"]),
    tests("SecretFilesTests", ["SecretFiles"]),
    tests("SpendLedgerTests", ["Locks", "BudgetModel", "Digest", "SeededRandom", "SpendLedger"]),
    tests("SocketsTests", ["Sockets"]),
    .target(
      name: "TestCertificates", path: "Tests/TestCertificates", swiftSettings: strict),
    tests("TLSTests", ["TLS", "TestCertificates"]),
    tests(
      "TCPTransportTests",
      ["BudgetModel", "Locks", "Sockets", "TCPTransport", "TLS", "TestCertificates"]),
    tests(
      "TimeZonesTests", ["BudgetModel", "SeededRandom", "TimeZones"],
      exclude: ["zone_windows.py"]),
    tests(
      "budgetctlTests",
      [
        "Access", "BudgetClient", "BudgetModel", "BudgetWire", "Documents", "JSONWriting",
        "LiteLLMConfig",
        "budgetctl", argumentParser,
      ]),
    tests(
      "budgetdTests",
      [
        "BudgetFleet", "BudgetServer", "BudgetWire", "LiteLLMConfig", "Reconciliation",
        "TCPTransport", "budgetd",
        argumentParser, logging,
      ]),
  ]
)

// Fuzzing by libFuzzer, which brings its own `main`: only where deploy/fuzz asks for it.
if Context.environment["BUDGETD_FUZZ"] != nil {
  // The package manager has it count the edges of executables alone: everything else is what is looked into.
  for target in package.targets where target.type == .regular {
    let isSwift = target.swiftSettings?.isEmpty == false
    if isSwift {
      target.swiftSettings?.append(.unsafeFlags(["-sanitize=fuzzer"]))
    } else {
      target.cSettings = [.unsafeFlags(["-fsanitize=fuzzer-no-link"])]
    }
  }
  for (name, dependencies) in [
    ("FuzzFrames", ["BudgetWire", "WholeRequests"]),
    ("FuzzReplies", ["BudgetModel", "Reconciliation", "RedisStore"]), ("FuzzTLS", ["TLS"]),
  ] {
    package.targets.append(
      .executableTarget(
        name: name, dependencies: dependencies.map { .byName(name: $0) },
        path: "Tests/Fuzz/\(name)",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
  }
}

// A build that runs only some tests leaves the others out: `BUDGETD_TESTS` names their targets.
if let names = Context.environment["BUDGETD_TESTS"] {
  let wanted = Set(names.split(whereSeparator: \.isWhitespace).map(String.init))
  package.targets.removeAll { $0.type == .test && !wanted.contains($0.name) }
}
