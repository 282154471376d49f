// SPDX-License-Identifier: Apache-2.0
// Runs `sluice lab` as a user does, and looks at what is left. Skips where namespaces cannot be
// made.
#include "testbed/lab/lab.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "gateway/control/namespaces.h"
#include "testbed/lab/process.h"

namespace sluice::testbed {
namespace {

using namespace std::chrono_literals;

struct Outcome {
  int status = -1;
  std::string text;
};

Outcome run(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  Outcome outcome;
  std::array<char, 4096> buffer;
  while (fgets(buffer.data(), buffer.size(), pipe) != nullptr) outcome.text += buffer.data();
  int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

class LabTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIP: needs root";
    if (Result<> made = gateway::create_namespace(name_ + "-probe"); !made)
      GTEST_SKIP() << "SKIP: " << made.error().text();
    ASSERT_TRUE(gateway::delete_namespace(name_ + "-probe"));
    std::filesystem::create_directories(directory_);
    write_topology(
        "{run: [sluice-echo, --udp, 7000, --tcp, 7000], ready: {tcp: \"10.1.0.11:7000\"}}");
  }

  void TearDown() override {
    (void)take_down(name_);
    std::filesystem::remove_all(directory_);
  }

  void write_topology(const std::string& program) {
    std::ofstream(file_)
        << "gateway: {name: " << name_ << "}\n"
        << "lab:\n  switches: [{name: apps}]\n  namespaces:\n"
        << "    - name: app1\n"
        << "      interfaces:\n"
        << "        - {name: eth0, switch: apps, addresses: [10.1.0.11/16, \"fd01::11/64\"]}\n"
        << "        - {name: wire0, peer: client/wire1, mtu: 9000}\n"
        << "      programs: [" << program << "]\n"
        << "    - name: client\n"
        << "      interfaces: [{name: eth0, switch: apps, addresses: [10.1.0.2/16, "
           "\"fd01::2/64\"]}]\n"
        << "      routes: [{to: default, via: 10.1.0.11}]\n"
        << "      programs: [{run: [sh, -c, \"exit 3\"], ready: {exits: 3}}]\n";
  }

  Outcome lab(const std::string& arguments) { return run(sluice_ + " lab " + arguments); }
  Outcome in_client(const std::string& command) {
    return lab("exec --lab " + name_ + " client -- " + command);
  }

  // Nothing of the lab is there: no namespace, no file, and none of the processes.
  bool nothing_left(const std::vector<ProcessId>& processes) {
    for (const std::string& name : gateway::list_namespaces())
      if (name.starts_with(name_ + "-")) return false;
    for (const ProcessId& id : processes)
      if (is_alive(id)) return false;
    return !std::filesystem::exists(run_directory(name_));
  }

  bool soon(const std::function<bool()>& condition) {
    for (int i = 0; i < 500; ++i, std::this_thread::sleep_for(20ms))
      if (condition()) return true;
    return false;
  }

  std::vector<ProcessId> programs() {
    std::vector<ProcessId> ids;
    if (auto state = read_state(name_))
      for (const RunningProgram& program : state->programs) ids.push_back(program.id);
    return ids;
  }

  // `sluice lab up` in the background; its number.
  pid_t start_lab(const char* flag) {
    pid_t child = fork();
    if (child == 0) {
      int log = fileno(std::fopen((directory_ + "/log").c_str(), "w"));
      dup2(log, 1);
      dup2(log, 2);
      execl(sluice_.c_str(), "sluice", "lab", "up", file_.c_str(), flag, nullptr);
      _exit(127);
    }
    return child;
  }

  std::string name_ = "labt-" + std::to_string(getpid());
  std::string directory_ = "/tmp/" + name_;
  std::string file_ = directory_ + "/lab.yaml";
  std::string sluice_ = std::string(SLUICE_BINARY_DIR) + "/bin/sluice";
};

constexpr char kAsk[] =
    "python3 -c 'import socket,sys\n"
    "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
    "  for to in (\"10.1.0.11\", \"fd01::11\"):\n"
    "    s = socket.socket(socket.AF_INET6 if \":\" in to else socket.AF_INET, kind)\n"
    "    s.settimeout(3); s.connect((to, 7000)); s.send(b\"hello\"); print(s.recv(99).decode())'";

// Names that are equal as far as an interface's name reaches.
TEST_F(LabTest, LongNamesOnOneSwitch) {
  std::ofstream(file_) << "gateway: {name: " << name_ << "}\n"
                       << "lab:\n  switches: [{name: apps}]\n  namespaces:\n"
                       << "    - {name: netfilter1, interfaces: [{name: eth0, switch: apps}]}\n"
                       << "    - {name: netfilter2, interfaces: [{name: eth0, switch: apps}]}\n";
  Outcome up = lab("up " + file_);
  EXPECT_EQ(up.status, 0) << up.text;
  EXPECT_EQ(lab("down " + name_).status, 0);
}

TEST_F(LabTest, GoesUpAnswersAndGoesDown) {
  Outcome up = lab("up " + file_);
  ASSERT_EQ(up.status, 0) << up.text;
  EXPECT_EQ(in_client(kAsk).text, "hello\nhello\nhello\nhello\n");
  EXPECT_NE(in_client("ip route show default").text.find("via 10.1.0.11"), std::string::npos);
  EXPECT_NE(in_client("ethtool -k eth0").text.find("generic-receive-offload: on"),
            std::string::npos);
  EXPECT_NE(in_client("ethtool -k eth0").text.find("tx-checksumming: off"), std::string::npos);
  EXPECT_NE(in_client("ip link show wire1").text.find("mtu 9000"), std::string::npos);
  Outcome again = lab("up " + file_);
  EXPECT_EQ(again.status, 1);
  EXPECT_NE(again.text.find("is up already"), std::string::npos);
  Outcome status = lab("status " + name_);
  EXPECT_EQ(status.status, 0) << status.text;
  EXPECT_NE(status.text.find("sluice-echo"), std::string::npos);
  std::vector<ProcessId> ids = programs();
  EXPECT_EQ(ids.size(), 2u);
  EXPECT_EQ(lab("down " + file_).status, 0);
  EXPECT_TRUE(nothing_left(ids));
  EXPECT_NE(lab("down " + name_).text.find("there is no such lab"), std::string::npos);
}

TEST_F(LabTest, StatusTellsOfADeadProgramAndUpRebuildsADeadLab) {
  ASSERT_EQ(lab("up " + file_).status, 0);
  std::vector<ProcessId> ids = programs();
  kill(ids.at(0).pid, SIGKILL);
  ASSERT_TRUE(soon([&] { return !is_alive(ids[0]); }));
  Outcome status = lab("status " + name_ + " --json");
  EXPECT_EQ(status.status, 1);
  EXPECT_NE(status.text.find("sluice-echo has ended"), std::string::npos) << status.text;
  EXPECT_EQ(lab("up " + file_).status, 0);
  EXPECT_EQ(lab("status " + name_).status, 0);
}

TEST_F(LabTest, AProgramThatFailsTakesTheLabDownAndItsLastWordsAreShown) {
  write_topology("{run: [sh, -c, \"echo all is lost; exit 7\"], ready: {tcp: \"10.1.0.11:7000\"}}");
  Outcome up = lab("up " + file_);
  EXPECT_EQ(up.status, 1);
  EXPECT_NE(up.text.find("app1: sh: ended with status 7\n  all is lost"), std::string::npos)
      << up.text;
  EXPECT_TRUE(nothing_left({}));
  write_topology("{run: [sleep, 60], ready: {socket: /nowhere, timeout_seconds: 1}}");
  EXPECT_NE(lab("up " + file_).text.find("app1: sleep: not ready: waited 1 s for socket /nowhere"),
            std::string::npos);
  EXPECT_TRUE(nothing_left({}));
  write_topology("{run: [no-such-program]}");
  EXPECT_NE(lab("up " + file_).text.find("no-such-program: no such program"), std::string::npos);
  EXPECT_TRUE(nothing_left({}));
}

TEST_F(LabTest, ChildrenOfProgramsGoToo) {
  write_topology("{run: [sh, -c, \"setsid sleep 61 & setsid sleep 62 & wait\"]}");
  ASSERT_EQ(lab("up " + file_).status, 0);
  auto inside = [&] { return run("ip netns pids " + name_ + "-app1 | wc -l").text; };
  ASSERT_TRUE(soon([&] { return inside() == "3\n"; })) << inside();
  std::string pids = run("ip netns pids " + name_ + "-app1").text;
  EXPECT_EQ(lab("down " + name_).status, 0);
  EXPECT_TRUE(nothing_left({}));
  std::istringstream words(pids);
  for (pid_t pid; words >> pid;) EXPECT_FALSE(find_process(pid).has_value());
}

TEST_F(LabTest, InTheForegroundItEndsWithItsProcess) {
  for (int signal : {SIGTERM, SIGINT, SIGKILL}) {
    pid_t child = start_lab("--foreground");
    ASSERT_TRUE(soon([&] {
      auto state = read_state(name_);
      return state && state->ready;
    }));
    std::vector<ProcessId> ids = programs();
    EXPECT_TRUE(is_alive(ids.at(0)));
    kill(child, signal);
    waitpid(child, nullptr, 0);
    EXPECT_TRUE(soon([&] { return nothing_left(ids); })) << signal;
  }
}

TEST_F(LabTest, KilledWhileItIsBuiltNothingStays) {
  write_topology("{run: [sleep, 60], ready: {socket: /nowhere, timeout_seconds: 60}}");
  pid_t child = start_lab("--foreground");
  ASSERT_TRUE(soon([&] { return !programs().empty(); }));
  std::vector<ProcessId> ids = programs();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(soon([&] { return nothing_left(ids); }));
}

TEST_F(LabTest, ANamespaceOfSomebodyElseIsLeftAlone) {
  ASSERT_TRUE(gateway::create_namespace(name_ + "-client"));
  Outcome up = lab("up " + file_);
  EXPECT_EQ(up.status, 1);
  EXPECT_NE(up.text.find("exists already"), std::string::npos) << up.text;
  EXPECT_TRUE(gateway::Namespace::open(name_ + "-client"));
  EXPECT_TRUE(gateway::delete_namespace(name_ + "-client"));
  EXPECT_TRUE(nothing_left({}));
}

TEST_F(LabTest, AnotherProcessOfARecordedNumberIsLeftAlone) {
  pid_t bystander = fork();
  if (bystander == 0) {
    pause();
    _exit(0);
  }
  ProcessId id = *find_process(bystander);
  EXPECT_TRUE(is_alive(id));
  ++id.start_time;
  EXPECT_FALSE(is_alive(id));
  stop_processes({id}, {});
  EXPECT_TRUE(find_process(bystander).has_value());
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

}  // namespace
}  // namespace sluice::testbed
