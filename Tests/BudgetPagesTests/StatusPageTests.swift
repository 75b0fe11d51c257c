import BudgetModel
import Digest
import Foundation
import HTTPPort
import Testing

@testable import BudgetPages

/// The page at `/` is one text, made of the files of `Status/Web`.
@Suite struct StatusPageTests {
  private let page = String(decoding: StatusPage.response.body.bytes, as: UTF8.self)

  /// The text between two texts that each stand once.
  private func between(_ start: String, _ end: String) throws -> String {
    let parts = page.components(separatedBy: start)
    let rest = try #require(parts.count == 2 ? parts.last : nil, "\(start) stands once")
    let ends = rest.components(separatedBy: end)
    return try #require(ends.count == 2 ? ends.first : nil, "\(end) stands once")
  }

  private func file(_ name: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(
      contentsOf: root.appending(path: "Sources/BudgetPages/Status/Web/\(name)"), encoding: .utf8)
  }

  @Test func itIsTheFilesAsTheyLieThere() throws {
    let (style, script) = (try file("status.css"), try file("status.js"))
    #expect(try between("<style>", "</style>") + "\n" == style)
    #expect(try between("<script>", "</script>") + "\n" == script)
    let whole = try file("status.html")
      .replacing(StatusPage.styleReference, with: "<style>\(style.dropLast())</style>")
      .replacing(StatusPage.scriptReference, with: "<script>\(script.dropLast())</script>")
    #expect(page == whole)
    #expect(page.hasPrefix("<!doctype html>\n") && page.hasSuffix("</html>\n"))
  }

  @Test func nothingComesFromElsewhere() {
    for reference in ["status.css", "status.js\"", "http://", "https://", " src="] {
      #expect(!page.contains(reference), "\(reference)")
    }
  }

  @Test func thePolicyNamesExactlyThisScriptAndThisStyle() throws {
    func digest(_ text: String) -> String {
      "'sha256-\(Data(SHA256Digest.bytes(of: Array(text.utf8))).base64EncodedString())'"
    }
    let policy = try #require(
      StatusPage.response.headers.first { $0.name == "Content-Security-Policy" }?.value)
    #expect(policy.contains("script-src \(digest(try between("<script>", "</script>")));"))
    #expect(policy.contains("style-src \(digest(try between("<style>", "</style>")));"))
    #expect(policy.hasPrefix("default-src 'none'; ") && !policy.contains("unsafe"))
  }

  /// The script judges which budgets are near their limit as `/status.json` counts them.
  @Test func theScriptAndTheServerAgreeOnNear() {
    #expect(StatusPage.script.contains("\nconst nearRatio = \(StatusBudget.nearRatio);\n"))
  }
}
