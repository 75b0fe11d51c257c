import BudgetModel
import Documents
import Foundation
import LiteLLMConfig
import NodeFixture
import SeededRandom
import Testing

@testable import BudgetServer

/// LiteLLM's recorded questions, asked of a lane that remembers, of one that knows nothing, and in
/// shapes that protobuf-c unpacks: the replies are the same bytes. Whether they are LiteLLM's is
/// asked elsewhere.
@Suite struct DoorVectorTests {
  private static func lines(_ name: String) throws -> [String] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: folder.appending(path: "Vectors/\(name)"), encoding: .utf8)
    return text.split(separator: "\n").map(String.init)
  }

  @Test(arguments: [
    (file: "public.jsonl", played: 265, asked: 16_000), ("quirks.jsonl", 33, 300),
    ("redis_state.jsonl", 12, 100),
  ])
  func vectorsAnswerTheSameBytes(file: String, played: Int, asked: Int) throws {
    var random = SeededRandom(seed: 1)
    var (scenarios, questions) = (0, 0)
    for line in try Self.lines(file) {
      let scenario = try DocumentNode.parse(json: line, file: file)
      let name = scenario["name"]?.text ?? ""
      let start = try #require(scenario["start"]?.text.flatMap { Timestamp(iso8601: $0) })
      let document = try #require(scenario["config"])
      let steps = scenario["steps"]?.sequence ?? []
      let config: LiteLLMConfig
      do throws(DocumentError) {
        config = try LiteLLMConfigLoader(environment: [:]).load(document: document, file: "config")
      } catch {
        let refused = ([scenario] + steps).contains { $0["want"]?["config_error"]?.bool == true }
        #expect(refused, "\(name): \(error)")
        continue
      }
      scenarios += 1
      let trio = DoorTrio(config.budgets, at: start)
      for (index, step) in steps.enumerated() {
        let milliseconds = Int64(((step["at"]?.number ?? 0) * 1_000).rounded())
        for fixture in trio.all {
          let now = fixture.time.now().unixMilliseconds
          fixture.time.advance(milliseconds: start.unixMilliseconds + milliseconds - now)
        }
        guard var request = Self.request(step) else { continue }
        // A part of a message is remembered when it comes again.
        for round in 0..<(request.method == 11 ? 1 : 3) {
          request.callID += 1
          let comment: Comment = "\(name), step \(index), round \(round)"
          let usual = request.bytes(.usual, using: &random)
          let expected = trio.warm.rawReply(to: usual)
          #expect(!expected.isEmpty, comment)
          #expect(trio.cold.withNewLane().rawReply(to: usual) == expected, comment)
          let unusual = request.bytes(.unusual, using: &random)
          #expect(trio.odd.rawReply(to: unusual) == expected, comment)
          questions += 1
        }
      }
      #expect(trio.cold.counted == trio.warm.counted, "\(name)")
      #expect(trio.odd.counted == trio.warm.counted, "\(name)")
      #expect(trio.cold.recorder.taken == trio.warm.recorder.taken, "\(name)")
      #expect(trio.odd.recorder.taken == trio.warm.recorder.taken, "\(name)")
    }
    #expect(scenarios == played && questions > asked, "\(scenarios), \(questions)")
  }

  /// A step of a trace as a request; nil: it asks nothing of a server.
  private static func request(_ step: DocumentNode) -> RequestBytes? {
    var request = RequestBytes(callID: 0)
    let tags =
      step["tags"]?.text.map { [$0] } ?? (step["tags"]?.sequence ?? []).compactMap(\.text)
    switch step["op"]?.text {
    case "filter":
      request.method = 10
      request.fields = (step["deployments"]?.sequence ?? []).map { deployment in
        let texts = ["id", "model_name", "model", "provider"].enumerated().map { place, name in
          RequestBytes.Field.text(UInt8(place + 1), deployment[name]?.text ?? "")
        }
        return .message(1, texts)
      }
      request.fields += tags.map { .text(2, $0) }
      if let estimate = step["estimated_cost_usd"]?.number {
        request.fields.append(.double(4, estimate))
      }
    case "record":
      request.method = 11
      request.fields = [
        .text(1, step["provider"]?.text ?? ""), .text(2, step["model_id"]?.text ?? ""),
      ]
      request.fields += tags.map { .text(4, $0) }
      let cost = step["cost"]
      request.fields.append(.double(5, cost?.number ?? cost?.text.flatMap { Double($0) } ?? .nan))
    case "budgets":
      request.method = 12
      request.fields = [.integer(2, 1), .integer(3, 1)]
    default: return nil
    }
    return request
  }
}
