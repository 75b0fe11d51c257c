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

/// A module of the house, with its page.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, exclude: ["README.md"], swiftSettings: strict)
}

/// The tests of a module.
func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
  name: "budgetd",
  targets: [
    // 3: adapters; they never meet
    module("BudgetWire", ["BudgetModel", "CBudgetWire"]),
    module("TCPTransport", ["CEpoll"]),

    // 2 and 1: the engine, the nouns
    module("BudgetEngine", ["BudgetModel"]),
    module("BudgetModel", []),

    // 0: C, each imported by exactly one module
    .target(
      name: "CBudgetWire", exclude: ["README.md"], linkerSettings: [.linkedLibrary("protobuf-c")]),
    .systemLibrary(name: "CEpoll"),

    tests("BudgetEngineTests", ["BudgetEngine", "BudgetModel"]),
    tests("BudgetModelTests", ["BudgetModel"]),
    tests("BudgetWireTests", ["BudgetModel", "BudgetWire", "CAllocationCount"]),
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
    tests("HouseRulesTests", []),
    tests("TCPTransportTests", ["TCPTransport"]),
  ]
)
