import Foundation
import Locks
import RedisStore
import Testing

/// Links to a real redis-server.
@Suite(.serialized) struct RealRedisTests {
  private static let script = RedisScript("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func factsAreKnownAndTheDatabaseIsSelected() throws {
    let redis = try RealRedis("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    var settings = redis.settings
    settings.database = 3
    var link = try RedisLink.connect(settings)
    let facts = link.facts
    #expect(facts.runID?.count == 40 && facts.replicationID?.count == 40)
    #expect(facts.role == "master" && facts.isCluster == false && facts.isLoading == false)
    #expect(facts.evictionPolicy == "allkeys-lru" && facts.memoryLimit == 64 << 20)
    #expect(facts.version?.isEmpty == false)
    #expect(try link.command("SET", "k", "v") == .status(bytes("OK")))
    var other = try RedisLink.connect(redis.settings)
    #expect(try other.command("GET", "k") == .null)
    let clients = try #require(try link.command("CLIENT", "LIST").bytes)
    #expect(String(decoding: clients, as: UTF8.self).contains("name=budgetd age="))
    #expect(String(decoding: clients, as: UTF8.self).contains(" db=3 "))
    settings.database = 9_999
    let error = #expect(throws: RedisError.self) { _ = try RedisLink.connect(settings) }
    #expect(error?.description.hasPrefix("SELECT was refused: ERR DB index") == true)
  }

  @Test func usersAndPasswords() throws {
    let redis = try RealRedis("--requirepass", "s3cr3t")
    var settings = redis.settings
    func kind(_ settings: RedisSettings) -> RedisRefusal.Kind? {
      do throws(RedisError) {
        _ = try RedisLink.connect(settings)
        return nil
      } catch {
        #expect(!"\(error)".contains("s3cr3t"))
        guard case .refused(_, let refusal) = error else { return .other }
        return refusal.kind
      }
    }
    #expect(kind(settings) == .noAuthentication)
    settings.password = RedisPassword("s3cr3t?")
    #expect(kind(settings) == .wrongPassword)
    settings.password = RedisPassword("s3cr3t")
    #expect(kind(settings) == nil)
    var admin = try RedisLink.connect(settings)
    // A user that may do what the budgets need, and not what a link only asks for politely.
    _ = try admin.command(
      "ACL", "SETUSER", "budgetd", "on", ">pass", "~provider_spend:*", "-@all", "+get", "+eval",
      "+evalsha", "+incr")
    _ = try admin.command("ACL", "SETUSER", "open", "on", "nopass", "+@all", "~*")
    settings.username = "budgetd"
    #expect(kind(settings) == .wrongPassword)
    settings.password = RedisPassword("pass")
    var link = try RedisLink.connect(settings)
    #expect(link.facts == ServerFacts())
    #expect(try link.command("GET", "provider_spend:x") == .null)
    #expect(try link.command("GET", "other").refusal?.kind == .noPermission)
    #expect(try link.command("FLUSHALL").refusal?.kind == .noPermission)
    // SCRIPT LOAD is not among the rights, so the script goes out as text.
    let reply = try link.evaluate(
      Self.script, keys: [bytes("provider_spend:x")], arguments: [bytes("a")])
    #expect(reply.array?.last == .integer(1))
    settings.username = "open"
    settings.password = nil
    #expect(kind(settings) == nil)
  }

  @Test func aServerThatRepeatsThePasswordIsNotQuoted() throws {
    let redis = try RealRedis("--rename-command", "AUTH", "")
    var settings = redis.settings
    var bare = try RedisLink.connect(settings)
    let repeated = try bare.command("AUTH", "echo")
    #expect(repeated.refusal?.text.contains("echo") == true, "Redis itself repeats it")
    settings.password = RedisPassword("s3cr3t")
    let error = #expect(throws: RedisError.self) { _ = try RedisLink.connect(settings) }
    #expect(error.map { !"\($0)".contains("s3cr3t") } == true, "\(error as Any)")
    var dumped = ""
    dump(settings, to: &dumped)
    dump(error, to: &dumped)
    #expect(!dumped.contains("s3cr3t"))
  }

  @Test func overTCPByNameAndAddress() throws {
    let port = try RealRedis.freePort()
    let redis = try RealRedis(port: port)
    for host in ["127.0.0.1", "localhost"] {
      var settings = redis.settings
      settings.address = .tcp(host: host, port: port)
      var link = try RedisLink.connect(settings)
      #expect(try link.command("PING") == .status(bytes("PONG")))
    }
  }

  @Test func scriptsSurviveAFlushOfTheScripts() throws {
    let redis = try RealRedis()
    var link = try RedisLink.connect(redis.settings)
    let calls = (0..<200).map {
      RedisScriptCall(keys: [bytes("k\($0)")], arguments: [bytes("%s\($0)")])
    }
    for round in 1...3 {
      let replies = try link.evaluate(Self.script, calls)
      for (index, reply) in replies.enumerated() {
        let expected: [RedisValue] = [
          .bytes(bytes("k\(index)")), .bytes(bytes("%s\(index)")), .integer(Int64(round)),
        ]
        #expect(reply == .array(expected))
      }
      _ = try link.command("SCRIPT", "FLUSH")
    }
    let broken = RedisScript("this is no Lua")
    #expect(throws: RedisError.self) { _ = try link.evaluate(broken, [calls[0]]) }
    #expect(try link.command("PING") == .status(bytes("PONG")))
    let failing = RedisScript("return redis.error_reply('BDARG bad shape')")
    let reply = try link.evaluate(failing, keys: [], arguments: [])
    #expect(reply == .error(RedisRefusal(kind: .other, text: "BDARG bad shape")))
  }

  @Test func aPipelineOfTenThousandKeepsItsOrder() throws {
    let redis = try RealRedis()
    var link = try RedisLink.connect(redis.settings)
    let filler = String(repeating: "x", count: 400)
    let replies = try link.pipeline(
      (0..<10_000).map { [bytes("ECHO"), bytes("\($0)\(filler)")] })
    #expect(replies.count == 10_000)
    let inOrder = replies.indices.allSatisfy { replies[$0].bytes == bytes("\($0)\(filler)") }
    #expect(inOrder)
  }

  @Test func aTimeoutLeavesNothingToTheNextLink() throws {
    let redis = try RealRedis()
    var settings = redis.settings
    settings.commandTimeout = .milliseconds(100)
    var link = try RedisLink.connect(settings)
    #expect(throws: RedisError.timedOut(.milliseconds(100))) {
      _ = try link.command("DEBUG", "SLEEP", "0.4")
    }
    #expect(throws: RedisError.closed) { _ = try link.command("ECHO", "old") }
    var fresh = try RedisLink.connect(redis.settings)
    for index in 0..<10 {
      #expect(try fresh.command("ECHO", "\(index)") == .bytes(bytes("\(index)")))
    }
  }

  @Test func aKillInTheMiddleOfACommandClosesTheLink() throws {
    let redis = try RealRedis()
    var watcher = try RedisLink.connect(redis.settings)
    let settings = redis.settings
    let box = Outcome()
    let thread = RedisThread { _ in
      do throws(RedisError) {
        var link = try RedisLink.connect(settings)
        _ = try link.command("BLPOP", "nothing", "0")
      } catch {
        box.set(error)
      }
    }
    while true {
      let info = String(decoding: try watcher.command("INFO").bytes ?? [], as: UTF8.self)
      if info.contains("blocked_clients:1") { break }
    }
    redis.kill()
    #expect(thread.join(within: .seconds(20)))
    #expect(box.error == .closed)
    #expect(throws: RedisError.self) { _ = try watcher.command("PING") }
    let error = #expect(throws: RedisError.self) { _ = try RedisLink.connect(settings) }
    if case .connect(_, let reason) = error {
      #expect(reason.contains("refused"), "\(reason)")
    } else {
      Issue.record("\(error as Any)")
    }
  }

  @Test func aFullMemoryAndAReplicaRefuseWrites() throws {
    let redis = try RealRedis("--maxmemory-policy", "noeviction")
    var link = try RedisLink.connect(redis.settings)
    _ = try link.command("CONFIG", "SET", "maxmemory", "1")
    let write = RedisScript("return redis.call('SET', KEYS[1], '1')")
    #expect(try link.command("SET", "a", "b").refusal?.kind == .outOfMemory)
    let full = try link.evaluate(write, keys: [bytes("a")], arguments: [])
    #expect(full.refusal?.kind == .outOfMemory)
    _ = try link.command("CONFIG", "SET", "maxmemory", "0")
    _ = try link.command("REPLICAOF", "127.0.0.1", "1")
    #expect(try link.command("SET", "a", "b").refusal?.kind == .readOnly)
    let replica = try link.evaluate(write, keys: [bytes("a")], arguments: [])
    #expect(replica.refusal?.kind == .readOnly)
    #expect(try RedisLink.connect(redis.settings).facts.role == "slave")
  }

  @Test func slotsAreThoseOfARealCluster() throws {
    let port = try RealRedis.freePort()
    // A port of a cluster's node plus 10,000 is its bus: ask for another one.
    let redis = try RealRedis(
      "--cluster-enabled", "yes", "--cluster-port", "\(try RealRedis.freePort())", port: port)
    var link = try RedisLink.connect(redis.settings)
    #expect(link.facts.isCluster == true)
    for key in [
      "provider_spend:openai:1d", "{provider_spend:openai:1d}:bd", "tag_spend:{team}:1d:bd",
      "a{}b", "a}b", "a{b", "{}", "}{x}", "{a}{b}", "a{}{b}", "é{ü}",
    ] {
      #expect(
        try link.command("CLUSTER", "KEYSLOT", key) == .integer(Int64(RedisSlot.of(bytes(key)))),
        "\(key)")
    }
    let refusal = try #require(try link.command("GET", "a").refusal)
    #expect(refusal.kind == .clusterDown && refusal.description.contains("has a master"))
  }
}

/// The error that another thread met.
private final class Outcome: Sendable {
  private let found = Locked<RedisError?>(nil)

  var error: RedisError? { found.withLock { $0 } }

  func set(_ error: RedisError) { found.withLock { $0 = error } }
}
