public import Access
public import ArgumentParser
import BudgetModel
import Documents

/// Who may do what: new clients, and whether the file is one.
struct AccessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "access", abstract: "Makes tokens, and reads an access file as budgetd would.",
    subcommands: [New.self, Check.self])

  /// A new client.
  struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "new", abstract: "Makes a token, and the client's entry for the access file.",
      discussion: """
        Prints the token once, to give to the client, and the entry, which holds only its digest. Put \
        the entry under 'clients:' of the file that budgetd has as --access-file, and send budgetd \
        SIGHUP.
        """)

    @Argument(help: ArgumentHelp("The client's name, for people and logs.", valueName: "name"))
    var name: String

    @Option(help: "check, read, spend or admin: each may do what those before it may.")
    var role: Role

    func validate() throws {
      if let complaint = AccessFile.complaint(aboutName: name) { throw ValidationError(complaint) }
    }

    func run() throws {
      var generator = SystemRandomNumberGenerator()
      Terminal.write(lines: Self.lines(name, role, token: AccessToken.random(using: &generator)))
    }

    static func lines(_ name: String, _ role: Role, token: String) -> [String] {
      ["token, shown this once:", token, "", "entry, under clients: of the access file:"]
        + AccessFile.entry(name: name, role: role, token: token)
    }
  }

  /// A file's faults.
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check", abstract: "Reads an access file as budgetd would.",
      discussion: "Exits 78 and shows a line a problem where budgetd would refuse it.")

    @Argument(help: ArgumentHelp("The access file.", valueName: "file"), completion: .file())
    var file: String

    func run() throws {
      do throws(DocumentError) {
        let count = try AccessFile.table(path: file).count
        Terminal.write(lines: ["\(file) is fine: \(count == 1 ? "1 client" : "\(count) clients")"])
      } catch {
        Terminal.write(lines: error.problems.map { $0.description.printable })
        let count = error.problems.count == 1 ? "1 problem" : "\(error.problems.count) problems"
        throw Failure("\(file) is refused: \(count)", .badConfig)
      }
    }
  }
}

extension Role: ExpressibleByArgument {
  /// The role of that name.
  public init?(argument: String) { self.init(name: argument) }

  /// Their names: the numbers behind them are nobody's.
  public static var allValueStrings: [String] { allCases.map(\.description) }
}
