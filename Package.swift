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
    .testTarget(
      name: "BudgetModelTests", dependencies: ["BudgetModel"], swiftSettings: strict),
    .systemLibrary(name: "CEpoll"),
    .target(name: "TCPTransport", dependencies: ["CEpoll"], swiftSettings: strict),
    .testTarget(
      name: "TCPTransportTests", dependencies: ["TCPTransport"], swiftSettings: strict),
  ]
)
