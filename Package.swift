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

let package = Package(
  name: "budgetd",
  products: [],
  dependencies: [],
  targets: [
    .target(name: "BudgetModel", swiftSettings: strict),
    .target(
      name: "BudgetEngine", dependencies: ["BudgetModel"], exclude: ["README.md"],
      swiftSettings: strict),
    .testTarget(
      name: "BudgetEngineTests", dependencies: ["BudgetEngine", "BudgetModel"],
      swiftSettings: strict),
    .testTarget(name: "HouseRulesTests", swiftSettings: strict),
    .testTarget(
      name: "BudgetModelTests", dependencies: ["BudgetModel"], swiftSettings: strict),
    .target(
      name: "CBudgetWire", exclude: ["README.md"], linkerSettings: [.linkedLibrary("protobuf-c")]),
    .target(
      name: "BudgetWire", dependencies: ["BudgetModel", "CBudgetWire"], exclude: ["README.md"],
      swiftSettings: strict),
    .testTarget(
      name: "BudgetWireTests", dependencies: ["BudgetModel", "BudgetWire", "CAllocationCount"],
      swiftSettings: strict),
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
  ]
)
