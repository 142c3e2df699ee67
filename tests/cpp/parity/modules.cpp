// Every module of nn, made in C++ and described in lines that tests/test_cpp_modules.py compares with Python's:
//   expression <TAB> what operator<< prints <TAB> names, shapes and bits of the state dict <TAB> results of forward
// The expression is the Python one that makes the same module; newlines are written as \n. Seeds are set before each.
// Map: writing values | rows | the table
#include <cstdio>
#include <cstring>
#include <functional>
#include <sstream>

#include "bolide/autograd.h"
#include "bolide/nn.h"
#include "bolide/ops.h"

using namespace bolide;

namespace {

// ---- writing values ----------------------------------------------------------------------------
std::string escaped(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out;
}

/// "[2, 3] 1.5 0x..": the shape and all values as doubles in hexadecimal.
std::string values(const Tensor& t) {
  if (!t.defined()) return "None";
  std::ostringstream s;
  s << t.sizes() << std::hexfloat;
  const Tensor flat = contiguous(t.to(DType::Float64).detach());
  for (int64_t i = 0; i < flat.numel(); ++i) s << ' ' << flat.data<double>()[i];
  return s.str();
}
std::string values(const nn::LSTMState& s) { return values(std::get<0>(s)) + "; " + values(std::get<1>(s)); }
std::string values(const nn::LSTMOutput& s) { return values(std::get<0>(s)) + "; " + values(std::get<1>(s)); }
std::string values(const nn::ASMoutput& s) { return values(s.output) + "; " + values(s.loss); }

/// Numbers that any language makes alike: sin of the position, scaled.
Tensor wave(IntList size, double scale = 1.0) {
  return mul(sin(mul(add(reshape(arange(0, checked_numel(size), 1, DType::Float32), size), 1), 0.7)), scale);
}
Tensor places(IntList size, int64_t classes) { return remainder(reshape(arange(0, checked_numel(size)), size), classes); }
Tensor signs(IntList size) { return sub(mul(remainder(reshape(arange(0, checked_numel(size), 1, DType::Float32), size), 2), 2), 1); }

// ---- rows --------------------------------------------------------------------------------------
/// Makes the module after seeding and prints its line; `forward` may be empty.
template <class Holder>
void row(const char* expression, const std::function<Holder()>& make, const std::function<std::string(Holder&)>& forward) {
  manual_seed(7);
  Holder module = make();
  std::ostringstream text;
  text << module;
  std::string state;
  for (const auto& [name, t] : module->state_dict()) state += name + " " + values(t) + "; ";
  std::string result = "-";
  if (forward) {
    manual_seed(11);
    try {
      result = forward(module);
    } catch (const NotImplementedError& e) {
      result = std::string("not built: ") + e.what();
    } catch (const Error& e) {
      result = std::string("error: ") + e.what();
    }
  }
  std::printf("%s\t%s\t%s\t%s\n", expression, escaped(text.str()).c_str(), state.c_str(), escaped(result).c_str());
}

#define ROW(python, Type, make, ...) \
  row<nn::Type>(python, [] { return nn::Type make; }, [](nn::Type& m) { return values(m(__VA_ARGS__)); })
#define ROW_ONLY(python, Type, make) row<nn::Type>(python, [] { return nn::Type make; }, {})

// ---- the table: the Python expression, `=>` its arguments of forward ---------------------------
void linear_and_convolution() {
  ROW("nn.Identity() => wave(2, 3)", Identity, (), wave({2, 3}));
  ROW("nn.Linear(4, 3) => wave(2, 4)", Linear, (4, 3), wave({2, 4}));
  ROW("nn.Linear(4, 3, bias=False) => wave(2, 4)", Linear, (nn::LinearOptions(4, 3).bias(false)), wave({2, 4}));
  ROW("nn.Bilinear(3, 2, 4) => wave(5, 3), wave(5, 2)", Bilinear, (3, 2, 4), wave({5, 3}), wave({5, 2}));
  ROW("nn.Flatten() => wave(2, 3, 4)", Flatten, (), wave({2, 3, 4}));
  ROW("nn.Unflatten(1, (2, 3)) => wave(2, 6)", Unflatten, (nn::UnflattenOptions(1, {2, 3})), wave({2, 6}));
  ROW("nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2) => wave(2, 4, 9)", Conv1d,
      (nn::Conv1dOptions(4, 6, 3).stride(2).padding(1).groups(2)), wave({2, 4, 9}));
  ROW("nn.Conv2d(3, 4, (3, 5), padding='same', dilation=(1, 2)) => wave(2, 3, 8, 9)", Conv2d,
      (nn::Conv2dOptions(3, 4, {3, 5}).padding(kSame).dilation({1, 2})), wave({2, 3, 8, 9}));
  ROW("nn.Conv2d(3, 4, 3, padding=(1, 2), padding_mode='circular', bias=False) => wave(2, 3, 6, 7)", Conv2d,
      (nn::Conv2dOptions(3, 4, 3).padding({1, 2}).padding_mode(kCircular).bias(false)), wave({2, 3, 6, 7}));
  ROW("nn.Conv3d(2, 3, 3, padding=1) => wave(1, 2, 4, 5, 6)", Conv3d, (nn::Conv3dOptions(2, 3, 3).padding(1)), wave({1, 2, 4, 5, 6}));
  ROW("nn.ConvTranspose1d(4, 3, 3, stride=2) => wave(2, 4, 5)", ConvTranspose1d, (nn::ConvTranspose1dOptions(4, 3, 3).stride(2)), wave({2, 4, 5}));
  ROW("nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2) => wave(1, 2, 4, 5)", ConvTranspose2d,
      (nn::ConvTranspose2dOptions(2, 4, 3).stride(2).padding(1).output_padding(1).groups(2)), wave({1, 2, 4, 5}));
  ROW("nn.ConvTranspose3d(2, 3, 2) => wave(1, 2, 3, 3, 3)", ConvTranspose3d, (2, 3, 2), wave({1, 2, 3, 3, 3}));
  ROW("nn.Fold((4, 5), (2, 3)) => wave(1, 12, 9)", Fold, (nn::FoldOptions({4, 5}, {2, 3})), wave({1, 12, 9}));
  ROW("nn.Unfold((2, 3), padding=1) => wave(1, 2, 4, 5)", Unfold, (nn::UnfoldOptions({2, 3}).padding(1)), wave({1, 2, 4, 5}));
}

void activations() {
  const Tensor x = wave({3, 4}, 3.0);
#define ACTIVATION(python, Type, make) row<nn::Type>(python " => wave(3, 4, scale=3.0)", [] { return nn::Type make; }, [&](nn::Type& m) { return values(m(clone(x))); })
  ACTIVATION("nn.ReLU(inplace=True)", ReLU, (true));
  ACTIVATION("nn.ReLU6()", ReLU6, ());
  ACTIVATION("nn.ELU(0.7)", ELU, (0.7));
  ACTIVATION("nn.SELU()", SELU, ());
  ACTIVATION("nn.CELU(1.3)", CELU, (1.3));
  ACTIVATION("nn.GELU(approximate='tanh')", GELU, (nn::GELUOptions().approximate(kTanh)));
  ACTIVATION("nn.SiLU()", SiLU, ());
  ACTIVATION("nn.Mish()", Mish, ());
  ACTIVATION("nn.GLU()", GLU, ());
  ACTIVATION("nn.LeakyReLU(0.2)", LeakyReLU, (0.2));
  ACTIVATION("nn.PReLU()", PReLU, ());
  ACTIVATION("nn.RReLU()", RReLU, ());
  ACTIVATION("nn.Hardtanh(-0.5, 2.0)", Hardtanh, (nn::HardtanhOptions().min_val(-0.5).max_val(2.0)));
  ACTIVATION("nn.Hardsigmoid()", Hardsigmoid, ());
  ACTIVATION("nn.Hardswish()", Hardswish, ());
  ACTIVATION("nn.Hardshrink(0.3)", Hardshrink, (0.3));
  ACTIVATION("nn.Softshrink(0.4)", Softshrink, (0.4));
  ACTIVATION("nn.Softplus(2.0)", Softplus, (nn::SoftplusOptions().beta(2.0)));
  ACTIVATION("nn.Threshold(0.1, 20.0)", Threshold, (0.1, 20.0));
  ACTIVATION("nn.Sigmoid()", Sigmoid, ());
  ACTIVATION("nn.LogSigmoid()", LogSigmoid, ());
  ACTIVATION("nn.Tanh()", Tanh, ());
  ACTIVATION("nn.Tanhshrink()", Tanhshrink, ());
  ACTIVATION("nn.Softsign()", Softsign, ());
  ACTIVATION("nn.Softmax(dim=1)", Softmax, (1));
  ACTIVATION("nn.Softmin(dim=1)", Softmin, (1));
  ACTIVATION("nn.LogSoftmax(dim=-1)", LogSoftmax, (-1));
  ROW("nn.Softmax2d() => wave(2, 3, 2, 2)", Softmax2d, (), wave({2, 3, 2, 2}));
  ACTIVATION("nn.Dropout(0.3)", Dropout, (0.3));
  ROW("nn.Dropout1d() => wave(2, 3, 4)", Dropout1d, (), wave({2, 3, 4}));
  ROW("nn.Dropout2d(0.4) => wave(2, 3, 2, 2)", Dropout2d, (0.4), wave({2, 3, 2, 2}));
  ROW("nn.Dropout3d() => wave(2, 3, 2, 2, 2)", Dropout3d, (), wave({2, 3, 2, 2, 2}));
  ACTIVATION("nn.AlphaDropout(0.2)", AlphaDropout, (0.2));
  ROW("nn.FeatureAlphaDropout() => wave(2, 3, 4)", FeatureAlphaDropout, (), wave({2, 3, 4}));
}

void pooling_and_padding() {
  const Tensor line = wave({2, 3, 9}), image = wave({2, 3, 6, 7}), volume = wave({1, 2, 4, 5, 6});
#define ON(python, size, Type, make, x) row<nn::Type>(python " => " size, [] { return nn::Type make; }, [&](nn::Type& m) { return values(m(x)); })
#define LINE(python, Type, make) ON(python, "wave(2, 3, 9)", Type, make, line)
#define IMAGE(python, Type, make) ON(python, "wave(2, 3, 6, 7)", Type, make, image)
#define VOLUME(python, Type, make) ON(python, "wave(1, 2, 4, 5, 6)", Type, make, volume)
  LINE("nn.MaxPool1d(2)", MaxPool1d, (2));
  IMAGE("nn.MaxPool2d((2, 3), stride=1, padding=1, ceil_mode=True)", MaxPool2d, (nn::MaxPool2dOptions({2, 3}).stride(1).padding(1).ceil_mode(true)));
  VOLUME("nn.MaxPool3d(2)", MaxPool3d, (2));
  LINE("nn.AvgPool1d(3, stride=2)", AvgPool1d, (nn::AvgPool1dOptions(3).stride(2)));
  IMAGE("nn.AvgPool2d(3, padding=1, count_include_pad=False)", AvgPool2d, (nn::AvgPool2dOptions(3).padding(1).count_include_pad(false)));
  VOLUME("nn.AvgPool3d(2)", AvgPool3d, (2));
  LINE("nn.AdaptiveMaxPool1d(4)", AdaptiveMaxPool1d, (4));
  IMAGE("nn.AdaptiveMaxPool2d((3, None))", AdaptiveMaxPool2d, (nn::AdaptiveMaxPool2dOptions({3, std::nullopt})));
  VOLUME("nn.AdaptiveMaxPool3d(2)", AdaptiveMaxPool3d, (2));
  LINE("nn.AdaptiveAvgPool1d(4)", AdaptiveAvgPool1d, (4));
  IMAGE("nn.AdaptiveAvgPool2d((None, 2))", AdaptiveAvgPool2d, (nn::AdaptiveAvgPool2dOptions({std::nullopt, 2})));
  VOLUME("nn.AdaptiveAvgPool3d(2)", AdaptiveAvgPool3d, (2));
  LINE("nn.LPPool1d(2.0, 3)", LPPool1d, (2.0, 3));
  IMAGE("nn.LPPool2d(3.0, (2, 3), stride=2)", LPPool2d, (nn::LPPool2dOptions(3.0, {2, 3}).stride(2)));
  VOLUME("nn.LPPool3d(2.0, 2)", LPPool3d, (2.0, 2));
  IMAGE("nn.FractionalMaxPool2d(2, output_size=(3, 4))", FractionalMaxPool2d, (nn::FractionalMaxPool2dOptions(2).output_size(nn::Sizes<2>({3, 4}))));
  VOLUME("nn.FractionalMaxPool3d(2, output_ratio=(0.5, 0.5, 0.5))", FractionalMaxPool3d,
         (nn::FractionalMaxPool3dOptions(2).output_ratio(std::array{0.5, 0.5, 0.5})));
  ROW("nn.MaxUnpool1d(2) => wave(1, 2, 3), torch.tensor([[[0, 3, 5], [1, 2, 4]]])", MaxUnpool1d, (2), wave({1, 2, 3}),
      reshape(tensor<int64_t>({0, 3, 5, 1, 2, 4}), {1, 2, 3}));
  ROW("nn.MaxUnpool2d(2) => wave(1, 1, 2, 2), torch.tensor([[[[0, 3], [9, 14]]]])", MaxUnpool2d, (2), wave({1, 1, 2, 2}),
      reshape(tensor<int64_t>({0, 3, 9, 14}), {1, 1, 2, 2}));
  ROW("nn.MaxUnpool3d(2) => wave(1, 1, 1, 1, 2), torch.tensor([[[[[1, 14]]]]])", MaxUnpool3d, (2), wave({1, 1, 1, 1, 2}),
      reshape(tensor<int64_t>({1, 14}), {1, 1, 1, 1, 2}));
  LINE("nn.ReflectionPad1d(2)", ReflectionPad1d, (2));
  IMAGE("nn.ReflectionPad2d((1, 2, 0, 1))", ReflectionPad2d, (nn::ReflectionPad2dOptions({1, 2, 0, 1})));
  VOLUME("nn.ReflectionPad3d(1)", ReflectionPad3d, (1));
  LINE("nn.ReplicationPad1d((1, 3))", ReplicationPad1d, (nn::ReplicationPad1dOptions({1, 3})));
  IMAGE("nn.ReplicationPad2d(1)", ReplicationPad2d, (1));
  VOLUME("nn.ReplicationPad3d(1)", ReplicationPad3d, (1));
  LINE("nn.CircularPad1d(2)", CircularPad1d, (2));
  IMAGE("nn.CircularPad2d((1, 0, 2, 1))", CircularPad2d, (nn::CircularPad2dOptions({1, 0, 2, 1})));
  VOLUME("nn.CircularPad3d(1)", CircularPad3d, (1));
  LINE("nn.ZeroPad1d(1)", ZeroPad1d, (1));
  IMAGE("nn.ZeroPad2d((1, 2, -1, 0))", ZeroPad2d, (nn::ZeroPad2dOptions({1, 2, -1, 0})));
  VOLUME("nn.ZeroPad3d(1)", ZeroPad3d, (1));
  LINE("nn.ConstantPad1d(2, 1.5)", ConstantPad1d, (nn::ConstantPad1dOptions(2, 1.5)));
  IMAGE("nn.ConstantPad2d(1, -0.5)", ConstantPad2d, (nn::ConstantPad2dOptions(1, -0.5)));
  VOLUME("nn.ConstantPad3d(1, 2.5)", ConstantPad3d, (nn::ConstantPad3dOptions(1, 2.5)));
}

void normalization_and_embedding() {
  ROW("nn.BatchNorm1d(4) => wave(3, 4)", BatchNorm1d, (4), wave({3, 4}));
  ROW("nn.BatchNorm2d(3, momentum=None) => wave(2, 3, 4, 4)", BatchNorm2d, (nn::BatchNorm2dOptions(3).momentum(std::nullopt)), wave({2, 3, 4, 4}));
  ROW("nn.BatchNorm3d(2, affine=False) => wave(2, 2, 3, 3, 3)", BatchNorm3d, (nn::BatchNorm3dOptions(2).affine(false)), wave({2, 2, 3, 3, 3}));
  ROW("nn.InstanceNorm1d(3, affine=True) => wave(2, 3, 5)", InstanceNorm1d, (nn::InstanceNorm1dOptions(3).affine(true)), wave({2, 3, 5}));
  ROW("nn.InstanceNorm2d(3, track_running_stats=True) => wave(2, 3, 4, 4)", InstanceNorm2d,
      (nn::InstanceNorm2dOptions(3).track_running_stats(true)), wave({2, 3, 4, 4}));
  ROW("nn.InstanceNorm3d(2) => wave(1, 2, 2, 3, 3)", InstanceNorm3d, (2), wave({1, 2, 2, 3, 3}));
  ROW("nn.LayerNorm((3, 4)) => wave(2, 3, 4)", LayerNorm, (nn::LayerNormOptions({3, 4})), wave({2, 3, 4}));
  ROW("nn.RMSNorm(4) => wave(2, 3, 4)", RMSNorm, (nn::RMSNormOptions(4)), wave({2, 3, 4}));
  ROW("nn.GroupNorm(2, 4) => wave(2, 4, 5)", GroupNorm, (2, 4), wave({2, 4, 5}));
  ROW("nn.LocalResponseNorm(3) => wave(2, 5, 4)", LocalResponseNorm, (3), wave({2, 5, 4}));
  ROW("nn.CrossMapLRN2d(3, k=1.0) => wave(2, 5, 3, 3)", CrossMapLRN2d, (3), wave({2, 5, 3, 3}));
  ROW("nn.Embedding(6, 3, padding_idx=2) => places(2, 4, classes=6)", Embedding, (nn::EmbeddingOptions(6, 3).padding_idx(2)), places({2, 4}, 6));
  ROW("nn.EmbeddingBag(6, 3, mode='sum') => places(2, 4, classes=6)", EmbeddingBag, (nn::EmbeddingBagOptions(6, 3).mode(kSum)), places({2, 4}, 6));
}

void losses() {
  const Tensor x = wave({4, 3}), y = wave({4, 3}, 0.5), target = places({4}, 3), one = signs({4, 3});
#define LOSS(python, args, Type, make, ...) row<nn::Type>(python " => " args, [] { return nn::Type make; }, [&](nn::Type& m) { return values(m(__VA_ARGS__)); })
#define PAIR "wave(4, 3), wave(4, 3, scale=0.5)"
  LOSS("nn.L1Loss()", PAIR, L1Loss, (), x, y);
  LOSS("nn.MSELoss(reduction='sum')", PAIR, MSELoss, (kSum), x, y);
  LOSS("nn.SmoothL1Loss(beta=0.3)", PAIR, SmoothL1Loss, (nn::SmoothL1LossOptions().beta(0.3)), x, y);
  LOSS("nn.HuberLoss(delta=0.2)", PAIR, HuberLoss, (nn::HuberLossOptions().delta(0.2)), x, y);
  LOSS("nn.KLDivLoss(reduction='batchmean', log_target=True)", PAIR, KLDivLoss, (nn::KLDivLossOptions(kBatchMean).log_target(true)), x, y);
  LOSS("nn.CrossEntropyLoss(label_smoothing=0.1)", "wave(4, 3), places(4, classes=3)", CrossEntropyLoss,
       (nn::CrossEntropyLossOptions().label_smoothing(0.1)), x, target);
  LOSS("nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]))", "wave(4, 3), places(4, classes=3)", CrossEntropyLoss,
       (nn::CrossEntropyLossOptions().weight(tensor<float>({1, 2, 0.5}))), x, target);
  LOSS("nn.NLLLoss(ignore_index=1)", "wave(4, 3), places(4, classes=3)", NLLLoss, (nn::NLLLossOptions().ignore_index(1)), x, target);
  LOSS("nn.BCELoss()", "wave(4, 3).abs(), wave(4, 3, scale=0.5).abs()", BCELoss, (), abs(x), abs(y));
  LOSS("nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 0.5]))", PAIR, BCEWithLogitsLoss,
       (nn::BCEWithLogitsLossOptions().pos_weight(tensor<float>({1, 2, 0.5}))), x, y);
  LOSS("nn.SoftMarginLoss()", "wave(4, 3), signs(4, 3)", SoftMarginLoss, (), x, one);
  LOSS("nn.MultiLabelMarginLoss()", "wave(4, 3), torch.tensor([[0, -1, -1], [2, 1, -1], [1, -1, 0], [2, 0, 1]])", MultiLabelMarginLoss, (), x,
       reshape(tensor<int64_t>({0, -1, -1, 2, 1, -1, 1, -1, 0, 2, 0, 1}), {4, 3}));
  LOSS("nn.MultiLabelSoftMarginLoss()", "wave(4, 3), wave(4, 3, scale=0.5).abs()", MultiLabelSoftMarginLoss, (), x, abs(y));
  LOSS("nn.MultiMarginLoss(p=2)", "wave(4, 3), places(4, classes=3)", MultiMarginLoss, (nn::MultiMarginLossOptions().p(2)), x, target);
  LOSS("nn.HingeEmbeddingLoss(margin=0.4)", "wave(4, 3), signs(4, 3)", HingeEmbeddingLoss, (nn::HingeEmbeddingLossOptions().margin(0.4)), x, one);
  LOSS("nn.MarginRankingLoss(margin=0.1)", "wave(4, 3), wave(4, 3, scale=0.5), signs(4, 3)", MarginRankingLoss,
       (nn::MarginRankingLossOptions().margin(0.1)), x, y, one);
  LOSS("nn.CosineEmbeddingLoss(margin=0.2)", "wave(4, 3), wave(4, 3, scale=0.5), signs(4)", CosineEmbeddingLoss,
       (nn::CosineEmbeddingLossOptions().margin(0.2)), x, y, signs({4}));
  LOSS("nn.PoissonNLLLoss(full=True)", "wave(4, 3), wave(4, 3, scale=0.5).abs()", PoissonNLLLoss, (nn::PoissonNLLLossOptions().full(true)), x, abs(y));
  LOSS("nn.GaussianNLLLoss(full=True)", "wave(4, 3), wave(4, 3, scale=0.5), wave(4, 3).abs()", GaussianNLLLoss,
       (nn::GaussianNLLLossOptions().full(true)), x, y, abs(x));
  LOSS("nn.TripletMarginLoss(swap=True)", "wave(4, 3), wave(4, 3, scale=0.5), signs(4, 3)", TripletMarginLoss,
       (nn::TripletMarginLossOptions().swap(true)), x, y, one);
  LOSS("nn.TripletMarginWithDistanceLoss(margin=0.5)", "wave(4, 3), wave(4, 3, scale=0.5), signs(4, 3)", TripletMarginWithDistanceLoss,
       (nn::TripletMarginWithDistanceLossOptions().margin(0.5)), x, y, one);
  LOSS("nn.CTCLoss()", "wave(6, 2, 4).log_softmax(2), torch.tensor([[1, 2], [3, 3]]), torch.tensor([6, 5]), torch.tensor([2, 1])", CTCLoss, (),
       log_softmax(wave({6, 2, 4}), 2), reshape(tensor<int64_t>({1, 2, 3, 3}), {2, 2}), tensor<int64_t>({6, 5}), tensor<int64_t>({2, 1}));
  LOSS("nn.CosineSimilarity(dim=1)", PAIR, CosineSimilarity, (), x, y);
  LOSS("nn.PairwiseDistance(p=3.0)", PAIR, PairwiseDistance, (nn::PairwiseDistanceOptions().p(3.0)), x, y);
  LOSS("nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], div_value=2.0)", "wave(4, 8), torch.tensor([1, 7, 15, 4])", AdaptiveLogSoftmaxWithLoss,
       (nn::AdaptiveLogSoftmaxWithLossOptions(8, 20, {5, 10}).div_value(2.0)), wave({4, 8}), tensor<int64_t>({1, 7, 15, 4}));
}

void vision() {
  ROW("nn.Upsample(scale_factor=2.0, mode='bilinear', align_corners=True) => wave(1, 2, 3, 4)", Upsample,
      (nn::UpsampleOptions().scale_factor(std::vector{2.0}).mode(kBilinear).align_corners(true)), wave({1, 2, 3, 4}));
  ROW("nn.Upsample(size=(5, 7)) => wave(1, 2, 3, 4)", Upsample, (nn::UpsampleOptions().size(std::vector<int64_t>{5, 7})), wave({1, 2, 3, 4}));
  ROW("nn.UpsamplingNearest2d(scale_factor=2.0) => wave(1, 2, 3, 4)", UpsamplingNearest2d, (nn::UpsampleOptions().scale_factor(std::vector{2.0})), wave({1, 2, 3, 4}));
  ROW("nn.UpsamplingBilinear2d(size=(5, 6)) => wave(1, 2, 3, 4)", UpsamplingBilinear2d, (nn::UpsampleOptions().size(std::vector<int64_t>{5, 6})), wave({1, 2, 3, 4}));
  ROW("nn.PixelShuffle(2) => wave(1, 8, 2, 3)", PixelShuffle, (2), wave({1, 8, 2, 3}));
  ROW("nn.PixelUnshuffle(2) => wave(1, 2, 4, 6)", PixelUnshuffle, (2), wave({1, 2, 4, 6}));
  ROW("nn.ChannelShuffle(2) => wave(1, 4, 2, 2)", ChannelShuffle, (2), wave({1, 4, 2, 2}));
}

void recurrent() {
  ROW("nn.RNN(3, 4, nonlinearity='relu') => wave(5, 2, 3)", RNN, (nn::RNNOptions(3, 4).nonlinearity(kReLU)), wave({5, 2, 3}));
  ROW("nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True) => wave(2, 5, 3)", LSTM,
      (nn::LSTMOptions(3, 4).num_layers(2).bidirectional(true).batch_first(true)), wave({2, 5, 3}));
  ROW("nn.LSTM(3, 4, bias=False, proj_size=2) => wave(5, 3)", LSTM, (nn::LSTMOptions(3, 4).bias(false).proj_size(2)), wave({5, 3}));
  ROW("nn.GRU(3, 4, num_layers=2) => wave(5, 2, 3)", GRU, (nn::GRUOptions(3, 4).num_layers(2)), wave({5, 2, 3}));
  ROW("nn.RNNCell(3, 4, bias=False, nonlinearity='relu') => wave(2, 3), wave(2, 4)", RNNCell,
      (nn::RNNCellOptions(3, 4).bias(false).nonlinearity(kReLU)), wave({2, 3}), wave({2, 4}));
  ROW("nn.LSTMCell(3, 4) => wave(2, 3)", LSTMCell, (3, 4), wave({2, 3}));
  ROW("nn.GRUCell(3, 4) => wave(3)", GRUCell, (3, 4), wave({3}));
}

void attention() {
  ROW("nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True) => wave(3, 2, 8), wave(4, 2, 8), wave(4, 2, 8)", MultiheadAttention,
      (nn::MultiheadAttentionOptions(8, 2).add_bias_kv(true).add_zero_attn(true)), wave({3, 2, 8}), wave({4, 2, 8}), wave({4, 2, 8}));
  ROW("nn.MultiheadAttention(8, 2, kdim=4, vdim=6, batch_first=True, bias=False) => wave(2, 3, 8), wave(2, 5, 4), wave(2, 5, 6)", MultiheadAttention,
      (nn::MultiheadAttentionOptions(8, 2).kdim(4).vdim(6).batch_first(true).bias(false)), wave({2, 3, 8}), wave({2, 5, 4}), wave({2, 5, 6}));
  ROW("nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0) => wave(3, 2, 8)", TransformerEncoderLayer,
      (nn::TransformerEncoderLayerOptions(8, 2).dim_feedforward(16).dropout(0.0)), wave({3, 2, 8}));
  ROW("nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, activation='gelu', norm_first=True) => wave(3, 2, 8), wave(4, 2, 8)", TransformerDecoderLayer,
      (nn::TransformerDecoderLayerOptions(8, 2).dim_feedforward(16).dropout(0.0).activation(kGELU).norm_first(true)), wave({3, 2, 8}), wave({4, 2, 8}));
  row<nn::TransformerEncoder>(
      "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), 2) => wave(3, 2, 8)",
      [] { return nn::TransformerEncoder(nn::TransformerEncoderLayer(nn::TransformerEncoderLayerOptions(8, 2).dim_feedforward(16).dropout(0.0)), 2); },
      [](nn::TransformerEncoder& m) { return values(m(wave({3, 2, 8}))); });
  row<nn::TransformerDecoder>(
      "nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0), 2, norm=nn.LayerNorm(8)) => wave(3, 2, 8), wave(4, 2, 8)",
      [] {
        const nn::TransformerDecoderLayer layer(nn::TransformerDecoderLayerOptions(8, 2).dim_feedforward(16).dropout(0.0));
        return nn::TransformerDecoder(nn::TransformerDecoderOptions(layer, 2).norm(nn::AnyModule(nn::LayerNorm(nn::LayerNormOptions(8)))));
      },
      [](nn::TransformerDecoder& m) { return values(m(wave({3, 2, 8}), wave({4, 2, 8}))); });
  ROW("nn.Transformer(8, 2, 1, 2, 16, dropout=0.0) => wave(4, 2, 8), wave(3, 2, 8)", Transformer,
      (nn::TransformerOptions(8, 2, 1, 2).dim_feedforward(16).dropout(0.0)), wave({4, 2, 8}), wave({3, 2, 8}));
}

void containers() {
  // braces: C++ makes the modules from left to right, and so draws their weights in Python's order
  row<nn::Sequential>("nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)) => wave(2, 4)",
                      [] { return nn::Sequential{nn::Linear(4, 3), nn::Tanh(), nn::Linear(3, 1)}; }, [](nn::Sequential& m) { return values(m(wave({2, 4}))); });
  ROW_ONLY("nn.ModuleList([nn.Tanh(), nn.Tanh(), nn.Linear(2, 1)])", ModuleList, (nn::Tanh(), nn::Tanh(), nn::Linear(2, 1)));
  row<nn::ModuleDict>("nn.ModuleDict({'a': nn.Linear(2, 1), 'b': nn.ReLU()})", [] {
    nn::ModuleDict d;
    d->insert("a", nn::Linear(2, 1));
    d->insert("b", nn::ReLU());
    return d;
  }, {});
  ROW_ONLY("nn.ParameterList([torch.ones(2, 3), torch.ones(4)])", ParameterList, (ones({2, 3}), ones({4})));
  ROW_ONLY("nn.ParameterDict({'a': torch.ones(2, 3)})", ParameterDict, (TensorDict{{"a", ones({2, 3})}}));
}

}  // namespace

int main() {
  linear_and_convolution();
  activations();
  pooling_and_padding();
  normalization_and_embedding();
  losses();
  vision();
  recurrent();
  attention();
  containers();
}
