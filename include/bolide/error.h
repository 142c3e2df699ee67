// Errors: one class for each Python exception that PyTorch raises in the same place, and the macro every
// check uses. A check is one compare; the message is built in a cold function, only when it fails.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace bolide {

/// RuntimeError in Python; the base of every error that Bolide throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
class IndexError : public Error { using Error::Error; };
class ValueError : public Error { using Error::Error; };
class TypeError : public Error { using Error::Error; };
class NotImplementedError : public Error { using Error::Error; };
class OutOfMemoryError : public Error { using Error::Error; };

/// Concatenates its arguments with operator<<.
template <class... A>
[[gnu::cold, gnu::noinline]] std::string str(const A&... parts) {
  std::ostringstream s;
  s << std::boolalpha;
  (s << ... << parts);
  return s.str();
}

template <class E = Error, class... A>
[[noreturn, gnu::cold, gnu::noinline]] void fail(const A&... parts) {
  throw E(str(parts...));
}

#define BOLIDE_CHECK(cond, ...) \
  do {                          \
    if (!(cond)) [[unlikely]]   \
      ::bolide::fail(__VA_ARGS__); \
  } while (0)
#define BOLIDE_CHECK_AS(E, cond, ...) \
  do {                                \
    if (!(cond)) [[unlikely]]         \
      ::bolide::fail<E>(__VA_ARGS__); \
  } while (0)

}  // namespace bolide
