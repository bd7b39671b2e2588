import XCTest
@testable import PhotoCaption

final class CaptionerTests: XCTestCase {
    private func readCard(_ change: (String) -> String = { $0 }) throws -> ModelCard {
        let url = try XCTUnwrap(Bundle.module.url(forResource: "model_card", withExtension: "json"))
        let text = try String(contentsOf: url, encoding: .utf8)
        return try ModelCard(json: Data(change(text).utf8))
    }

    private func caption(_ className: String, _ probability: Double, card: ModelCard) -> String {
        let found = [
            Classification(className: "truck", probability: 0),
            Classification(className: className, probability: probability),
        ]
        return Captioner(card: card).caption(by: "Ada", for: found)
    }

    func testNamesAClassFromTheConfidenceOfTheCardOn() throws {
        let card = try readCard()
        let confidence = try XCTUnwrap(card.confidence)
        XCTAssertEqual(caption("frog", confidence, card: card), "Ada uploaded a photo of a frog")
        XCTAssertEqual(caption("airplane", 1, card: card), "Ada uploaded a photo of an airplane")
        XCTAssertEqual(caption("frog", confidence - 0.001, card: card), "Ada uploaded a photo")
    }

    func testNamesNoClassThatTheCardDoesNotKnow() throws {
        XCTAssertEqual(caption("teapot", 1, card: try readCard()), "Ada uploaded a photo")
        XCTAssertEqual(Captioner(card: try readCard()).caption(by: "Ada", for: []), "Ada uploaded a photo")
    }

    func testRefusesPreprocessingThatItDoesNotKnow() {
        XCTAssertThrowsError(try readCard { $0.replacingOccurrences(of: "centerCrop", with: "scaleFit") })
    }

    func testRefusesACardWithoutNouns() {
        XCTAssertThrowsError(try readCard { $0.replacingOccurrences(of: "\"an airplane\",", with: "") }) { error in
            XCTAssertEqual(error as? CardError, .nounsMissing(classes: 10, nouns: 9))
        }
    }
}
