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
  dependencies: [
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2")
  ],
  targets: [
    .target(name: "BudgetModel", swiftSettings: strict),
    .testTarget(
      name: "BudgetModelTests", dependencies: ["BudgetModel"], swiftSettings: strict),

    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CYAMLEvents", dependencies: [.product(name: "Yams", package: "Yams")]),
    .target(
      name: "LiteLLMConfig", dependencies: ["BudgetModel", "CCrypto", "CYAMLEvents"],
      exclude: ["README.md"], swiftSettings: strict),
    .testTarget(
      name: "LiteLLMConfigTests", dependencies: ["BudgetModel", "LiteLLMConfig"],
      exclude: ["Vectors", "pyyaml_types.py"], swiftSettings: strict),
  ]
)
