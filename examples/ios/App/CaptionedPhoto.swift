import CoreML
import PhotoCaption
import SwiftUI
import UIKit

/// A photo with its caption below. The caption appears without a class first, and names one if the model is sure.
struct CaptionedPhoto: View {
    let photo: UIImage
    let member: String
    let captions: PhotoCaptions

    @State private var caption = ""

    var body: some View {
        VStack(alignment: .leading, spacing: 8) {
            Image(uiImage: photo).resizable().scaledToFit()
            Text(verbatim: caption).font(.footnote)
        }
        .task(id: photo) {
            caption = captions.plain(by: member)
            caption = await captions.caption(for: photo, by: member)
        }
    }
}

/// The model of the app's bundle with its card. Make one at the start of the app, and share it.
actor PhotoCaptions {
    private let classifier: PhotoClassifier
    private let captioner: Captioner

    /// `Classifier.mlpackage` and `model_card.json` are of one published version.
    init(bundle: Bundle = .main) throws {
        guard let url = bundle.url(forResource: "model_card", withExtension: "json") else {
            throw CocoaError(.fileNoSuchFile)
        }
        let card = try ModelCard(json: Data(contentsOf: url))
        let model = try Classifier(configuration: MLModelConfiguration()).model
        classifier = try PhotoClassifier(model: model, card: card)
        captioner = Captioner(card: card)
    }

    /// Returns the caption of a photo, which names no class if the photo cannot be classified.
    func caption(for photo: UIImage, by member: String) -> String {
        guard let image = photo.cgImage else { return plain(by: member) }
        let orientation = CGImagePropertyOrientation(photo.imageOrientation)
        let found = (try? classifier.classify(image, orientation: orientation)) ?? []
        return captioner.caption(by: member, for: found)
    }

    nonisolated func plain(by member: String) -> String {
        captioner.caption(by: member, for: [])
    }
}

extension CGImagePropertyOrientation {
    /// UIKit and ImageIO number the same eight orientations differently.
    init(_ orientation: UIImage.Orientation) {
        switch orientation {
        case .up: self = .up
        case .upMirrored: self = .upMirrored
        case .down: self = .down
        case .downMirrored: self = .downMirrored
        case .left: self = .left
        case .leftMirrored: self = .leftMirrored
        case .right: self = .right
        case .rightMirrored: self = .rightMirrored
        @unknown default: self = .up
        }
    }
}
