import Testing

@testable import TCPTransport

@Suite struct SendQueueTests {
  @Test func whatGoesInComesOutHoweverItIsCut() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<10 {
      var queue = SendQueue()
      var expected: [UInt8] = []
      var sent: [UInt8] = []
      for _ in 0..<40 {
        let size = Int.random(in: 0..<(Bool.random() ? 10 : 60_000), using: &random)
        let bytes = [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: size)
        queue.append(bytes[...])
        expected += bytes
        while !queue.isEmpty, Bool.random(using: &random) {
          let (next, from) = queue.next
          let count = Int.random(in: 1...(next.count - from), using: &random)
          sent += next[from..<from + count]
          queue.removeFirst(count)
        }
        #expect(queue.byteCount == expected.count - sent.count)
      }
      while !queue.isEmpty {
        let (next, from) = queue.next
        sent += next[from...]
        queue.removeFirst(next.count - from)
      }
      #expect(sent == expected)
    }
  }
}
