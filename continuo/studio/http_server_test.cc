#include "continuo/studio/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "continuo/compose/fake_model_testing.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/score/score_file.h"
#include "continuo/studio/base64.h"

namespace continuo {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() : server_(*HttpServer::Start(api_, {.connections = 8})) {}

  int Connect(uint32_t to = INADDR_LOOPBACK) const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(to);
    CONTINUO_CHECK(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    const timeval patience = {20, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return socket;
  }
  static void Send(int socket, const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) {
        return;  // the server has closed the connection
      }
      sent += static_cast<size_t>(count);
    }
  }
  /// Everything up to the end, or up to `until`.
  static std::string Receive(int socket, const std::string& until = {}) {
    std::string text;
    char buffer[4096];
    while (until.empty() || text.find(until) == std::string::npos) {
      const ssize_t count = ::recv(socket, buffer, sizeof(buffer), 0);
      if (count <= 0) {
        break;
      }
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }
  std::string Host() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  std::string Post(const std::string& path, const std::string& body, const std::string& more = {}) const {
    return "POST /api/v1/" + path + " HTTP/1.1\r\nHost: " + Host() +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n" + more + "\r\n" + body;
  }
  std::string Ask(const std::string& request, uint32_t to = INADDR_LOOPBACK) const {
    const int socket = Connect(to);
    Send(socket, request);
    std::string answer = Receive(socket);
    ::close(socket);
    return answer;
  }
  std::string Get(const std::string& host, const std::string& more = {}) const {
    return Ask("GET /api/v1/models HTTP/1.1\r\n" + host + more + "Connection: close\r\n\r\n");
  }

  std::string GetPage(const std::string& more = {}) const {
    return Ask("GET / HTTP/1.1\r\nHost: " + Host() + "\r\n" + more + "Connection: close\r\n\r\n");
  }
  void Restart(HttpOptions options) {
    server_.reset();
    options.connections = 8;
    server_ = *HttpServer::Start(api_, options);
  }

  static constexpr const char* kToken = "0123456789abcdef";

  LoadedModel model_ = LoadFakeModel("remi");
  TemporaryFolder folder_;
  Api api_{{{"fake", &model_}},
           {.limits = {.body_bytes = 100000, .waiting = 4},
            .render = [this](std::span<const uint8_t>, const StopToken& stop) -> Result<MappedFile> {
              if (render_waits_) {
                rendering_ = true;
                while (!stop.stop_requested()) {
                  std::this_thread::sleep_for(std::chrono::milliseconds(10));
                }
                stopped_ = true;
                return CancelledError();
              }
              return MappedFile::Open(folder_.path() / "wav");
            }}};
  std::atomic<bool> render_waits_{false};
  std::atomic<bool> rendering_{false};
  std::atomic<bool> stopped_{false};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersRequestsThatNameIt) {
  EXPECT_THAT(Get("Host: " + Host() + "\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("Host: localhost:" + std::to_string(server_->port()) + "\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: http://" + Host() + "\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RefusesOtherNamesAndOtherOrigins) {
  EXPECT_THAT(Get("Host: evil.example:" + std::to_string(server_->port()) + "\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("Host: 127.0.0.1\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get(""), Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: http://evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: null\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "Origin: https://" + Host() + "\r\n"), StartsWith("HTTP/1.1 403"));
}

TEST_F(HttpServerTest, OnAnotherAddressAsksForAToken) {
  const auto open = HttpServer::Start(api_, {.address = "0.0.0.0"});
  ASSERT_FALSE(open.ok());
  EXPECT_THAT(open.error().ToString(), HasSubstr("--token-file"));
  EXPECT_FALSE(HttpServer::Start(api_, {.address = "::"}).ok());
  EXPECT_FALSE(HttpServer::Start(api_, {.address = "localhost"}).ok());

  Restart({.address = "0.0.0.0", .token = kToken});
  const std::string host = "Host: " + Host() + "\r\n";
  const std::string bearer = std::string("Authorization: Bearer ") + kToken + "\r\n";
  const std::string refused = Get(host);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(refused, HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_THAT(refused, Not(HasSubstr(kToken)));
  EXPECT_THAT(Get(host, bearer), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get(host, "Authorization: Bearer 0123456789abcdeF\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Get(host, "Authorization: Bearer 0123456789abcde\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Get(host, "Authorization: Basic 0123456789abcdef\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Ask(Post("generate", R"({"bars": 1})")), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Ask(Post("generate", R"({"bars": 1})", bearer)), HasSubstr("event: done"));
  // The token does not make up for a wrong host or origin.
  EXPECT_THAT(Get("Host: evil.example:" + std::to_string(server_->port()) + "\r\n", bearer),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("Host: 0.0.0.0:" + std::to_string(server_->port()) + "\r\n", bearer), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get(host, bearer + "Origin: http://evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  // The host is the address that the connection came to.
  const std::string other = "Host: 127.0.0.2:" + std::to_string(server_->port()) + "\r\n";
  const std::string request = "GET /api/v1/models HTTP/1.1\r\n" + other + bearer + "Connection: close\r\n\r\n";
  EXPECT_THAT(Ask(request, 0x7F000002), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(server_->addresses(), Contains("http://" + Host()));
}

TEST_F(HttpServerTest, ListensOnIpv6) {
  auto started = HttpServer::Start(api_, {.address = "::1"});
  if (!started.ok()) {
    GTEST_SKIP() << started.error().ToString();
  }
  const std::string authority = "[::1]:" + std::to_string((*started)->port());
  EXPECT_THAT((*started)->addresses(), ElementsAre("http://" + authority));
  const int socket = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons((*started)->port());
  address.sin6_addr = in6addr_loopback;
  ASSERT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  Send(socket, "GET /api/v1/models HTTP/1.1\r\nHost: " + authority + "\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(Receive(socket), StartsWith("HTTP/1.1 200"));
  ::close(socket);
}

TEST_F(HttpServerTest, ServesThePageWithItsPolicy) {
  EXPECT_THAT(GetPage(), StartsWith("HTTP/1.1 404"));  // there is none
  const Page page = MakePage("<!doctype html><script>let x = 1;</script>");
  Restart({.token = kToken, .page = page});
  const std::string answer = GetPage();  // without the token
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: " + page.policy + "\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n" + page.html));
  EXPECT_THAT(GetPage("Origin: http://evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  const std::string head = Ask("HEAD / HTTP/1.1\r\nHost: " + Host() + "\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(head, Not(HasSubstr("<!doctype")));
  EXPECT_THAT(Ask("GET /etc/passwd HTTP/1.1\r\nHost: " + Host() + "\r\nAuthorization: Bearer " + kToken +
                  "\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 404"));
}

TEST_F(HttpServerTest, SendsAudioAndStopsWorkForAClientThatHasGone) {
  std::ofstream(folder_.path() / "wav") << "RIFF" << std::string(1'000'000, 'x');
  const std::string body = R"({"midi": ")" + EncodeBase64(SerializeScore(Score())) + R"("})";
  const std::string answer = Ask(Post("render", body));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: audio/wav\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 1000004\r\n"));
  EXPECT_EQ(answer.size() - answer.find("RIFF"), 1000004u);
  render_waits_ = true;
  const int socket = Connect();
  Send(socket, Post("render", body));
  for (int i = 0; i < 1000 && !rendering_; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(rendering_);
  EXPECT_FALSE(stopped_);
  ::close(socket);
  for (int i = 0; i < 300 && !stopped_; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(stopped_);
}

TEST_F(HttpServerTest, ARequestMayNotComputeForEver) {
  Restart({.longest = std::chrono::seconds(1)});
  render_waits_ = true;
  const std::string body = R"({"midi": ")" + EncodeBase64(SerializeScore(Score())) + R"("})";
  EXPECT_THAT(Ask(Post("render", body)), StartsWith("HTTP/1.1 503"));
  EXPECT_TRUE(stopped_);
}

TEST_F(HttpServerTest, StreamsEvents) {
  const std::string answer = Ask(Post("generate", R"({"bars": 2, "seed": 3})"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("text/event-stream"));
  EXPECT_THAT(answer, HasSubstr("event: bar\ndata: {\"index\":0,\"bars\":1,"));
  EXPECT_THAT(answer, HasSubstr("event: piece\n"));
  EXPECT_THAT(answer, HasSubstr("event: done\n"));
}

TEST_F(HttpServerTest, LimitsBodiesAndHeaders) {
  EXPECT_THAT(Ask(Post("generate", std::string(100001, ' '))), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(Ask("POST /api/v1/generate HTTP/1.1\r\nHost: " + Host() + "\r\nContent-Length: 99999999999999\r\n\r\n"),
              Not(StartsWith("HTTP/1.1 200")));
  std::string chunks = "POST /api/v1/generate HTTP/1.1\r\nHost: " + Host() +
                       "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 30; ++i) {
    chunks += "1000\r\n" + std::string(4096, ' ') + "\r\n";
  }
  EXPECT_THAT(Ask(chunks), Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n", "X: " + std::string(100000, 'x') + "\r\n"),
              Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(Get("Host: " + Host() + "\r\n"), StartsWith("HTTP/1.1 200"));  // and goes on
}

TEST_F(HttpServerTest, AClientThatGoesFreesTheModel) {
  for (int i = 0; i < 4; ++i) {
    const int socket = Connect();
    Send(socket, Post("generate", R"({"bars": 1000, "count": 8})"));
    EXPECT_THAT(Receive(socket, "event: "), HasSubstr("event: ")) << i;
    ::close(socket);
  }
  EXPECT_THAT(Ask(Post("generate", R"({"bars": 1})")), HasSubstr("event: done"));
}

TEST_F(HttpServerTest, EndsWhileRequestsRun) {
  const int socket = Connect();
  Send(socket, Post("generate", R"({"bars": 1000, "count": 8})"));
  Receive(socket, "event: bar");
  const int waiting = Connect();
  Send(waiting, Post("evaluate", R"({"midi": ""})"));
  server_.reset();
  ::close(socket);
  ::close(waiting);
}

TEST_F(HttpServerTest, APortThatIsTakenIsAnError) {
  const auto second = HttpServer::Start(api_, {.port = server_->port()});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().ToString(), HasSubstr("--port"));
}

}  // namespace
}  // namespace continuo
