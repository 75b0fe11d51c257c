import Foundation

/// One line of the runner's.
struct Command: Sendable {
  var id: Int
  var operation: String
  var arguments: Arguments

  private struct Line: Decodable {
    var id: Int
    var op: String
    var args: Arguments
  }

  init?(_ text: String) {
    // The runner's own lines: whatever is wrong with one, there is nothing to answer.
    guard let line = try? JSONDecoder().decode(Line.self, from: Data(text.utf8)) else { return nil }
    id = line.id
    operation = line.op
    arguments = line.args
  }
}

/// The words of any command.
struct Arguments: Decodable, Sendable {
  struct Options: Decodable, Sendable {
    var onUnavailable: String?
    var filterTimeout: Int?
    var reserveTimeout: Int?
    var recordTimeout: Int?
    var callTimeout: Int?
    var connectTimeout: Int?
    var pause: Int?
    var longestPause: Int?
    var outbox: Int?
    var journal: String?
    var tokenFile: String?
    var ca: String?
    var certificate: String?
    var key: String?
    var serverName: String?

    enum CodingKeys: String, CodingKey {
      case outbox, journal
      case onUnavailable = "on_unavailable"
      case filterTimeout = "filter_timeout_ms"
      case reserveTimeout = "reserve_timeout_ms"
      case recordTimeout = "record_timeout_ms"
      case callTimeout = "call_timeout_ms"
      case connectTimeout = "connect_timeout_ms"
      case pause = "pause_ms"
      case longestPause = "longest_pause_ms"
      case tokenFile = "token_file"
      case ca = "tls_ca"
      case certificate = "tls_cert"
      case key = "tls_key"
      case serverName = "server_name"
    }
  }

  struct Candidate: Decodable, Sendable {
    var id: String?
    var modelName: String?
    var model: String?
    var provider: String?
    var estimate: Double?
    var free: Bool?

    enum CodingKeys: String, CodingKey {
      case id, model, provider, estimate, free
      case modelName = "model_name"
    }
  }

  /// A list of names in a request, whether a scope is wanted in `budgets`.
  enum Tags: Decodable, Sendable {
    case names([String])
    case wanted(Bool)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let wanted = try? value.decode(Bool.self) {
        self = .wanted(wanted)
      } else {
        self = .names(try value.decode([String].self))
      }
    }
  }

  var addresses: [String]?
  var options: Options?
  var candidates: [Candidate]?
  var tags: Tags?
  var estimate: Double?
  var hold: String?
  var provider: String?
  var deploymentID: String?
  var model: String?
  var modelName: String?
  var amount: Double?
  var ttl: UInt32?
  var key: String?
  var cost: Double?
  var timeout: Int?
  var deployments: Bool?
  var models: Bool?
  var pools: Bool?

  enum CodingKeys: String, CodingKey {
    case addresses, options, candidates, tags, estimate, hold, provider, model, amount, key, cost
    case deployments, models, pools
    case deploymentID = "deployment_id"
    case modelName = "model_name"
    case ttl = "ttl_ms"
    case timeout = "timeout_ms"
  }

  var names: [String] {
    guard case .names(let names)? = tags else { return [] }
    return names
  }

  var wantsTags: Bool {
    guard case .wanted(let wanted)? = tags else { return false }
    return wanted
  }
}
