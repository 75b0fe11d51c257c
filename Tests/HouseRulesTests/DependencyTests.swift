import Foundation
import Testing

/// Who may import whom. Package.swift, the modules' pages and the map in README.md all say so; the
/// sources have to do it.
@Suite struct DependencyTests {
  /// Of the toolchain, so no target says that it depends on them.
  static let toolchain: Set<String> = [
    "Dispatch", "Foundation", "Glibc", "Synchronization", "Testing",
  ]

  /// The build finds this too, but only a fresh one.
  @Test func eachTargetDependsOnWhatItImports() throws {
    let manifest = PackageManifest(try SourceTree.text("Package.swift"))
    #expect(manifest.targets.count > 40, "the targets were found")
    for target in manifest.targets {
      let files = try SourceTree.files(in: target.folder)
      let imports = Set(files.flatMap(\.imports)).subtracting(Self.toolchain)
      // A target without Swift is C.
      guard !files.isEmpty else { continue }
      #expect(
        imports.subtracting(target.dependencies).sorted() == [],
        "Package.swift does not say that \(target.name) depends on these: add them")
      #expect(
        target.dependencies.subtracting(imports).sorted() == [],
        "Package.swift says that \(target.name) depends on these, and it does not: take them out")
    }
  }

  @Test func eachFolderIsATarget() throws {
    let folders = Set(PackageManifest(try SourceTree.text("Package.swift")).targets.map(\.folder))
    for module in try SourceTree.modules().keys {
      #expect(folders.contains("Sources/\(module)"), "Sources/\(module) is not in Package.swift")
    }
  }

  /// `May import: ` and names in backticks up to the full stop; or `nothing`.
  @Test func eachPageSaysWhatItsModuleImports() throws {
    for (module, files) in try SourceTree.modules() {
      let page = try SourceTree.text("Sources/\(module)/README.md")
      guard let said = page.firstMatch(of: /(?m)^May import: ([^.]*)\./) else {
        Issue.record("Sources/\(module)/README.md has no line 'May import: `A`, `B`.'")
        continue
      }
      let names = Set(said.1.matches(of: /`(\w+)`/).map { String($0.1) })
      #expect(names.isEmpty == (said.1 == "nothing"), "\(module): \(said.1)")
      let imports = Set(files.flatMap(\.imports))
      #expect(
        imports.subtracting(names).sorted() == [],
        "Sources/\(module)/README.md does not say that it imports these")
      #expect(
        names.subtracting(imports).sorted() == [],
        "Sources/\(module)/README.md says that it imports these, and it does not")
    }
  }

  /// The levels are those of the map in README.md.
  @Test func importsPointDownOnly() throws {
    let levels = try levels()
    let modules = try SourceTree.modules()
    for (module, files) in modules {
      let own = try #require(levels[module], "README.md's map of the code has no \(module)")
      for file in files {
        for name in file.imports where levels[name] != nil || modules[name] != nil {
          let other = try #require(levels[name], "README.md's map of the code has no \(name)")
          #expect(other < own, "\(module)/\(file.name) imports \(name), which is not below it")
        }
      }
    }
  }

  @Test func eachModuleOfCHasOneUser() throws {
    let libraries = try levels().filter { $0.value == 0 }.keys
    #expect(libraries.count > 5, "the map's last level was found")
    let modules = try SourceTree.modules()
    for library in libraries {
      let users = modules.filter { $0.value.contains { $0.imports.contains(library) } }.keys
      #expect(users.count == 1, "\(library) is imported by \(users.sorted())")
    }
  }

  /// deploy/test spares these the thread sanitizer, since they have no threads.
  @Test func modulesThatTheSanitizerPassesOverHaveNoThreads() throws {
    let script = try SourceTree.text("deploy/test")
    let list = try #require(script.firstMatch(of: /(?m)^single='([\w|]+)'/))
    let modules = list.1.split(separator: "|").map(String.init)
    #expect(modules.count > 3)
    for module in modules {
      for folder in ["Sources/\(module)", "Tests/\(module)Tests"] {
        for file in try SourceTree.files(in: folder) {
          let threads = file.imports.filter(["Dispatch", "Locks", "Synchronization"].contains)
          #expect(threads == [], "\(folder)/\(file.name), see 'single' in deploy/test")
        }
      }
    }
  }

  /// So it does these suites, each of one thread.
  @Test func suitesThatTheSanitizerPassesOverHaveOneThread() throws {
    let script = try SourceTree.text("deploy/test")
    let list = try #require(script.firstMatch(of: /(?m)^lone='([\w|]+)'/))
    let suites = list.1.split(separator: "|").map { "struct \($0)Tests" }
    let files = try SourceTree.files(in: "Tests")
    for suite in suites {
      let file = try #require(files.first { $0.text.contains("\(suite) {") }, "\(suite)")
      for word in ["concurrentPerform", "Thread(", "DispatchQueue", "Task {", "async "] {
        #expect(!file.text.contains(word), "\(file.name) has \(word), see 'lone' in deploy/test")
      }
    }
  }

  /// Level by module, from lines such as ` 2  BudgetEngine   Documents      who may …`.
  private func levels() throws -> [String: Int] {
    let folders = Set(
      try FileManager.default.contentsOfDirectory(
        atPath: SourceTree.root.appending(path: "Sources").path))
    var levels: [String: Int] = [:]
    for line in try SourceTree.text("README.md").split(separator: "\n") {
      guard let level = line.prefixMatch(of: /\ ?(\d)\ \ /), let number = Int(level.1) else {
        continue
      }
      for word in line.split(separator: " ").map(String.init) where folders.contains(word) {
        levels[word] = number
      }
    }
    return levels
  }

  @Test func theManifestIsRead() throws {
    let text = """
      let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
        .executableTarget(
          name: "tool", dependencies: ["A", logging], exclude: ["README.md"]),  // "no"
        module(
          "A", ["B"]),
        module("B", []),
        .target(
          name: "Help", dependencies: ["A"], path: "Tests/Help"),
        .target(name: "C", linkerSettings: [.linkedLibrary("c")]),
        tests("ATests", ["A", "Help"], exclude: ["x"]),
      """
    let targets = PackageManifest(text).targets
    let read = Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0) })
    #expect(read["tool"]?.dependencies == ["A", "Logging"])
    #expect(read["tool"]?.folder == "Sources/tool")
    #expect(read["A"]?.dependencies == ["B"] && read["B"]?.dependencies == [])
    #expect(read["Help"]?.folder == "Tests/Help" && read["Help"]?.dependencies == ["A"])
    #expect(read["C"]?.dependencies == [])
    #expect(read["ATests"]?.folder == "Tests/ATests")
    #expect(read["ATests"]?.dependencies == ["A", "Help"])
  }
}
