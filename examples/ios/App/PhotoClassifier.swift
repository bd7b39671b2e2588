import CoreGraphics
import CoreML
import ImageIO
import PhotoCaption
import Vision

/// Classifies photos with a published Core ML file, as its card asks for it.
final class PhotoClassifier {
    private let model: VNCoreMLModel
    private let cropAndScale: VNImageCropAndScaleOption

    /// Throws `CardError.otherModel` if the card does not belong to the model.
    init(model: MLModel, card: ModelCard) throws {
        guard let classes = model.modelDescription.classLabels as? [String], classes == card.classNames else {
            throw CardError.otherModel
        }
        self.model = try VNCoreMLModel(for: model)
        cropAndScale = VNImageCropAndScaleOption(card.preprocessing.cropAndScale)
    }

    /// Returns all classes, the most likely first. Call it off the main thread.
    func classify(_ photo: CGImage, orientation: CGImagePropertyOrientation) throws -> [Classification] {
        let request = VNCoreMLRequest(model: model)
        request.imageCropAndScaleOption = cropAndScale
        let opaque = PhotoClassifier.onWhite(photo) ?? photo
        try VNImageRequestHandler(cgImage: opaque, orientation: orientation).perform([request])
        let observations = request.results as? [VNClassificationObservation] ?? []
        return observations.map {
            Classification(className: $0.identifier, probability: Double($0.confidence))
        }
    }

    /// Lays transparent pixels on white, and converts colors to sRGB: the card's `background` and `colorSpace`.
    static func onWhite(_ photo: CGImage) -> CGImage? {
        guard let sRGB = CGColorSpace(name: CGColorSpace.sRGB),
              let context = CGContext(
                  data: nil, width: photo.width, height: photo.height, bitsPerComponent: 8, bytesPerRow: 0,
                  space: sRGB, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue
              )
        else { return nil }
        let whole = CGRect(x: 0, y: 0, width: photo.width, height: photo.height)
        context.setFillColor(CGColor(srgbRed: 1, green: 1, blue: 1, alpha: 1))
        context.fill(whole)
        context.draw(photo, in: whole)
        return context.makeImage()
    }
}

extension VNImageCropAndScaleOption {
    init(_ asked: ModelCard.CropAndScale) {
        switch asked {
        case .centerCrop: self = .centerCrop
        }
    }
}
