import ArgumentParser
import BudgetAlerts
import BudgetModel
import Documents
import LiteLLMConfig
import Webhooks

/// Tries the webhook of a config.
struct AlertsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alerts", abstract: "Sends a test alert to the webhook of a config.",
    subcommands: [Test.self])

  /// One message.
  struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "test", abstract: "Sends a test alert, as budgetd would send one.",
      discussion: """
        Reads the config as budgetd would, its variables from this shell's environment, and sends one \
        message to alerts.webhook, without trying again. No server is asked. Exits 78 where the config is \
        refused, 69 where the webhook does not take the message. The address is never shown.
        """)

    @Argument(help: ArgumentHelp("The config.", valueName: "file"), completion: .file())
    var file: String

    func run() throws {
      let settings = try settings()
      let target: WebhookTarget
      do throws(WebhookError) {
        target = try WebhookTarget(settings.webhook)
      } catch {
        throw Failure("\(file): \(error)", .badConfig)
      }
      let id = String(UInt64.random(in: .min ... .max), radix: 16)
      let message = AlertMessage(
        testOf: settings.name, id: id, by: "budgetctl", as: settings.webhook.form)
      let answer = target.send(WebhookRequest(id: id, body: message.body))
      guard answer.isTaken else { throw Failure("not sent: \(answer)", .unreachable) }
      Terminal.write(lines: ["sent test alert \(id): \(answer)"])
    }

    private func settings() throws -> AlertSettings {
      let alerts: AlertSettings?
      do throws(DocumentError) {
        alerts = try CheckedConfig(path: file, providerMapPath: nil).config.alerts
      } catch {
        Terminal.write(lines: error.problems.map { $0.description.printable })
        let count = error.problems.count == 1 ? "1 problem" : "\(error.problems.count) problems"
        throw Failure("\(file) is refused: \(count)", .badConfig)
      }
      guard let alerts else {
        throw Failure(
          "\(file) has no alerts: write alerts: under budgetd:, with a webhook", .badConfig)
      }
      return alerts
    }
  }
}
