import BudgetModel
import Foundation
import Testing

@testable import BudgetWire

/// The bytes that proto/README.md explains are the bytes that the codec writes.
@Suite struct ClientGuideTests {
  @Test func theHexFramesAreTheCodecs() throws {
    let guide = ProtocTool.root.appendingPathComponent("proto/README.md")
    let frames = Self.hexBlocks(in: try String(contentsOf: guide, encoding: .utf8))
    #expect(frames.count == 2)
    let request = RequestMessage(
      callID: 1,
      method: .filterDeployments(
        FilterDeploymentsRequest(
          deployments: [Deployment(id: "d1", provider: "openai")], tags: ["team-a"])))
    #expect(try frames.first == request.frame())
    var reply = FilterReply()
    reply.allow(0)
    var bytes: [UInt8] = []
    ResponseWriter().appendFilterDeployments(&reply, callID: 1, to: &bytes)
    #expect(frames.last == bytes)
  }

  /// The bytes at the start of each line of the blocks fenced as `hex`; two blanks end them.
  private static func hexBlocks(in text: String) -> [[UInt8]] {
    var blocks: [[UInt8]] = []
    var isInside = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```hex" {
        blocks.append([])
        isInside = true
      } else if line == "```" {
        isInside = false
      } else if isInside {
        let bytes = line.components(separatedBy: "  ")[0].split(separator: " ")
        blocks[blocks.count - 1] += bytes.compactMap { UInt8($0, radix: 16) }
      }
    }
    return blocks
  }
}
