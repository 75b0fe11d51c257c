import Foundation

// Drives RouterClient through the cases of all clients: proto/clients/conformance/README.md says how.

let (commands, queue) = AsyncStream<Command>.makeStream()
let driver = Driver()
// Not on the main actor: the loop below holds its thread.
Task.detached { await driver.run(commands) }
while let line = readLine() {
  guard let command = Command(line) else {
    FileHandle.standardError.write(Data("not a command: \(line)\n".utf8))
    exit(2)
  }
  queue.yield(command)
}
